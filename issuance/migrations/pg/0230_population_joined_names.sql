-- Keys of names that were written as one word are made anew (population::duplicates::keys, version 2).
update person set keyed = null;
