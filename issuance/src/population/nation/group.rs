//! Two hundred people of one neighbourhood: households, ages, kinship, numbers. The same part of the same nation is
//! always the same, so that any part can be made again alone.

use crypto::identity::{PersonalNumber, ProvinceCode, Sex};
use time::{Date, Duration, Month};

use super::dice::Dice;
use super::form::Row;
use super::names::{self, Bearer, Name};
use super::places::{Province, religion_name, some_province};
use super::{Nation, Seat};
use crate::population::model::{Declaration, DeclaredPlace, DeclaredRelative, MaritalStatus};

/// People of one group.
pub(super) const SIZE: u64 = 200;
/// Numbers that each group has for itself in every cell (province x sex x year).
const OWN_SERIALS: u64 = 16;
/// Groups that one province code has numbers for.
pub(super) const GROUPS_A_CODE: u64 = 1_000_000 / OWN_SERIALS;

/// The neighbourhood.
pub(super) struct Group {
    seat: Seat,
    day: Date,
    /// All people, household by household.
    pub people: Vec<Being>,
    households: Vec<Household>,
}

/// A person.
pub(super) struct Being {
    name: Name,
    pub sex: Sex,
    pub birth: Date,
    /// Place in `households`.
    pub household: usize,
    people: u8,
    relation: &'static str,
    father: Parent,
    mother: Parent,
    spouse: Option<usize>,
    representative: Option<usize>,
    marital: MaritalStatus,
    /// Where the birth was registered, if not here.
    registered: Option<ProvinceCode>,
    origin: DeclaredPlace,
    number: Option<PersonalNumber>,
    old_number: Option<String>,
    died: Option<Date>,
    /// The other one who is easily taken for this one, and is not.
    pub look_alike_of: Option<usize>,
}

struct Household {
    head: usize,
    religion: u8,
    commune: usize,
    home: DeclaredPlace,
    /// Where a household that only stays here is registered.
    permanent: Option<DeclaredPlace>,
    book: String,
    declared_on: Date,
}

#[derive(Clone, Debug)]
enum Parent {
    /// Lives in the household.
    Here(usize),
    /// Is only told of.
    Told(String),
}

impl Group {
    /// Makes a group of a nation.
    pub(super) fn new(nation: &Nation, number: u64) -> Self {
        let seat = nation.seat(number);
        let mut group = Self { seat, day: nation.day, people: vec![], households: vec![] };
        let mut dice = Dice::new(nation.seed, number);
        let size = usize::try_from(nation.people_of(number)).expect("at most SIZE");
        while group.people.len() < size {
            let room = size - group.people.len();
            group.household(nation, number, room, &mut dice);
        }
        group.lookalikes(&mut dice);
        group.numbers(nation, number, &mut dice);
        group
    }

    /// Adds a household of at most `room` people.
    fn household(&mut self, nation: &Nation, number: u64, room: usize, dice: &mut Dice) {
        let province = self.seat.province;
        let done = self.people.len() as u64;
        let commune = province.commune_at(self.seat.within * SIZE + done, self.seat.groups * SIZE);
        let people = province.people(dice);
        let place = province.commune(commune);
        let home = place.place(place.house(dice));
        let elsewhere = some_province(dice);
        let permanent = dice.percent(4).then(|| {
            let commune = elsewhere.some_commune(dice);
            commune.place(commune.house(dice))
        });
        let book =
            format!("{:09}", scrambled(number * SIZE + self.households.len() as u64, 1_000_000_000, nation.seed));
        let declared_on = self.day - Duration::days(i64::from(dice.of(120)));
        let head = self.people.len();
        let religion = province.religion(people, dice);
        self.households.push(Household { head, religion, commune, home, permanent, book, declared_on });
        match dice.of(100) {
            kind if room == 1 || kind < 9 => self.alone(people, dice),
            kind if kind < 15 => self.one_parent(people, room, dice),
            kind if kind < 19 && room > 2 => self.grandparents(people, room, dice),
            _ => self.couple(people, room, dice),
        }
    }

    fn alone(&mut self, people: u8, dice: &mut Dice) {
        let (age, sex) = match dice.of(100) {
            0..40 => (dice.between(21, 34), either(dice, 55)),
            40..52 => (dice.between(35, 59), either(dice, 50)),
            _ => (dice.between(60, 92), either(dice, 25)),
        };
        let marital = match age {
            ..35 => MaritalStatus::Single,
            35..60 if dice.percent(60) => MaritalStatus::Single,
            35..60 => MaritalStatus::Divorced,
            _ => MaritalStatus::Widowed,
        };
        self.adult(people, sex, age, None, "chủ hộ", marital, dice);
    }

    fn one_parent(&mut self, people: u8, room: usize, dice: &mut Dice) {
        let sex = either(dice, 18);
        let age = dice.between(24, 58);
        let marital = if dice.percent(55) { MaritalStatus::Divorced } else { MaritalStatus::Widowed };
        let parent = self.adult(people, sex, age, None, "chủ hộ", marital, dice);
        self.children(&Couple { parent, other: None, people }, age, room - 1, dice);
    }

    /// Grandparents with grandchildren whose parents work elsewhere.
    fn grandparents(&mut self, people: u8, room: usize, dice: &mut Dice) {
        let age = dice.between(52, 74);
        let head = self.adult(people, Sex::Male, age, None, "chủ hộ", MaritalStatus::Married, dice);
        let wife = self.adult(people, Sex::Female, age - dice.between(0, 5), None, "vợ", MaritalStatus::Married, dice);
        self.marry(head, wife);
        for _ in 0..(1 + dice.at(2)).min(room - 2) {
            let age = dice.between(1, 13);
            let child = self.member(people, either(dice, 52), age, Some(head), None, "cháu", dice);
            self.people[child].representative = Some(head);
        }
    }

    fn couple(&mut self, people: u8, room: usize, dice: &mut Dice) {
        let band = HEADS.iter().scan(0, |sum, (from, to, share)| {
            *sum += share;
            Some((*sum, *from, *to))
        });
        let drawn = dice.of(HEADS.iter().map(|(.., share)| share).sum());
        let (_, from, to) = band.into_iter().find(|(sum, ..)| drawn < *sum).expect("less than the sum");
        let his = dice.between(from, to);
        let hers = (his - dice.between(-1, 6)).max(19);
        let wife_leads = dice.percent(22);
        let (first, second) = if wife_leads { (Sex::Female, Sex::Male) } else { (Sex::Male, Sex::Female) };
        let age = |sex| if sex == Sex::Male { his } else { hers };
        let word = if wife_leads { "chồng" } else { "vợ" };
        let head = self.adult(people, first, age(first), None, "chủ hộ", MaritalStatus::Married, dice);
        let theirs = if dice.percent(95) { people } else { 1 };
        let spouse = self.adult(theirs, second, age(second), None, word, MaritalStatus::Married, dice);
        self.marry(head, spouse);
        let (husband, wife) = if wife_leads { (spouse, head) } else { (head, spouse) };
        let people = self.people[husband].people;
        let room = self.elders(head, room - 2, dice);
        self.children(&Couple { parent: husband, other: Some(wife), people }, hers, room, dice);
    }

    /// Adds the head's parents, in some households. Returns the room that is left.
    fn elders(&mut self, head: usize, mut room: usize, dice: &mut Dice) -> usize {
        let (age, people) = (self.age(head), self.people[head].people);
        if age > 62 || !dice.percent(20) {
            return room;
        }
        let mut mother = None;
        if room > 1 && dice.percent(85) {
            let years = age + dice.between(19, 33);
            let marital = MaritalStatus::Widowed;
            let told = self.adult(people, Sex::Female, years.min(98), None, "mẹ", marital, dice);
            self.people[head].mother = Parent::Here(told);
            mother = Some(told);
            room -= 1;
        }
        if room > 1 && dice.percent(45) {
            let years = age + dice.between(20, 36);
            let surname = self.people[head].name.surname;
            let marital = MaritalStatus::Widowed;
            let father = self.adult(people, Sex::Male, years.min(99), Some(surname), "cha", marital, dice);
            self.people[head].father = Parent::Here(father);
            room -= 1;
            if let Some(mother) = mother {
                self.marry(father, mother);
            }
        }
        room
    }

    fn children(&mut self, of: &Couple, mothers_age: i32, mut room: usize, dice: &mut Dice) {
        let wanted = match mothers_age {
            ..45 => [1, 1, 2, 2, 2, 2, 2, 3, 3, 4][dice.at(10)],
            45..60 => 1 + dice.between(0, 3),
            _ => 2 + dice.between(0, 4),
        };
        let mut years = 18 + i32::midpoint(dice.between(0, 14), dice.between(0, 12));
        for _ in 0..wanted {
            let age = mothers_age - years;
            if age < 0 || years > 44 || room == 0 {
                return;
            }
            let at_home = match age {
                ..18 => 98,
                18..22 => 78,
                22..26 => 50,
                26..31 => 28,
                _ => 8,
            };
            if dice.percent(at_home) {
                let first = self.child(of, age, dice);
                room -= 1;
                if room > 0 && dice.of(1000) < 14 {
                    let second = self.child(of, age, dice);
                    self.people[second].birth = self.people[first].birth;
                    self.twin(first, second, dice);
                    room -= 1;
                }
            }
            years += 2 + dice.between(0, 5);
        }
    }

    fn child(&mut self, of: &Couple, age: i32, dice: &mut Dice) -> usize {
        let other = of.other.map(|other| self.people[other].name.surname);
        let child = self.member(of.people, either(dice, 52), age, Some(of.parent), other, "con", dice);
        let (mut father, mut mother) = (Some(of.parent), of.other);
        if self.people[of.parent].sex == Sex::Female {
            (father, mother) = (None, Some(of.parent));
        }
        // No child is born before the parents were twelve.
        let youngest = [father, mother].into_iter().flatten().map(|parent| self.people[parent].birth.year() + 13).max();
        if let Some(youngest) = youngest.filter(|youngest| *youngest > self.people[child].birth.year()) {
            let birth = self.people[child].birth;
            self.people[child].birth = in_year(birth, youngest).min(self.day);
        }
        if let Some(father) = father {
            self.people[child].father = Parent::Here(father);
        }
        if let Some(mother) = mother {
            self.people[child].mother = Parent::Here(mother);
        }
        let origin = self.people[of.parent].origin.clone();
        self.people[child].origin = origin;
        child
    }

    /// Makes two children twins: born on one day, with names that are alike.
    fn twin(&mut self, first: usize, second: usize, dice: &mut Dice) {
        self.people[second].look_alike_of = Some(first);
        if self.people[first].sex == self.people[second].sex {
            // All words but the last are often the same.
            let of_first = &self.people[first].name;
            if let (Some((before, one)), Some((_, last))) =
                (of_first.text.rsplit_once(' '), self.people[second].name.text.rsplit_once(' '))
                && dice.percent(60)
                && one != last
            {
                let text = format!("{before} {last}");
                self.people[second].name.text = text;
            }
        }
    }

    /// Adds an adult with parents who are only told of.
    #[expect(clippy::too_many_arguments, reason = "what a person is made of")]
    fn adult(
        &mut self,
        people: u8,
        sex: Sex,
        age: i32,
        surname: Option<&'static str>,
        relation: &'static str,
        marital: MaritalStatus,
        dice: &mut Dice,
    ) -> usize {
        let birth = self.birth_at(age, dice);
        let bearer = Bearer { people, sex, born: birth.year() };
        let name = names::name(bearer, surname, None, dice);
        let at = self.push(name, sex, birth, people, relation, dice);
        self.people[at].marital = marital;
        at
    }

    /// Adds a child or a grandchild, with the surname of a parent or grandparent.
    #[expect(clippy::too_many_arguments, reason = "what a person is made of")]
    fn member(
        &mut self,
        people: u8,
        sex: Sex,
        age: i32,
        of: Option<usize>,
        mothers: Option<&'static str>,
        relation: &'static str,
        dice: &mut Dice,
    ) -> usize {
        let birth = self.birth_at(age, dice);
        let surname = of.map(|of| self.people[of].name.surname);
        let name = names::name(Bearer { people, sex, born: birth.year() }, surname, mothers, dice);
        self.push(name, sex, birth, people, relation, dice)
    }

    fn push(
        &mut self,
        name: Name,
        sex: Sex,
        birth: Date,
        people: u8,
        relation: &'static str,
        dice: &mut Dice,
    ) -> usize {
        let household = self.households.len() - 1;
        let parent = |sex, surname, dice: &mut Dice| {
            let born = birth.year() - dice.between(20, 36);
            Parent::Told(names::name(Bearer { people, sex, born }, surname, None, dice).text)
        };
        let father = parent(Sex::Male, Some(name.surname), dice);
        let mother = parent(Sex::Female, None, dice);
        let here = self.seat.province;
        // Who moved was born, and has the origin, in another province.
        let moved = birth.year() < 2016 && dice.percent(15);
        let from: &Province = if moved { some_province(dice) } else { here };
        let commune = if moved { from.some_commune(dice) } else { here.commune(self.households[household].commune) };
        let origin = commune.place(commune.hamlet(dice));
        let registered = moved.then(|| super::code_of(from)).filter(|code| *code != self.seat.code);
        self.people.push(Being {
            name,
            sex,
            birth,
            household,
            people,
            relation,
            father,
            mother,
            spouse: None,
            representative: None,
            marital: MaritalStatus::Single,
            registered,
            origin,
            number: None,
            old_number: None,
            died: None,
            look_alike_of: None,
        });
        self.people.len() - 1
    }

    fn marry(&mut self, one: usize, other: usize) {
        for (one, other) in [(one, other), (other, one)] {
            self.people[one].spouse = Some(other);
            self.people[one].marital = MaritalStatus::Married;
        }
    }

    /// Draws the birthday of a person of this age on the day of the census.
    fn birth_at(&self, age: i32, dice: &mut Dice) -> Date {
        let birthday = in_year(self.day, self.day.year() - age);
        let birth = birthday - Duration::days(i64::from(dice.of(365)));
        // In old registers the first of January stands for a day that was not known.
        if birth.year() < 1960 && dice.percent(4) {
            return Date::from_ordinal_date(birth.year(), 1).unwrap_or(birth);
        }
        birth
    }

    /// Returns the age on the day of the census.
    fn age(&self, who: usize) -> i32 {
        let birth = self.people[who].birth;
        let had = (self.day.month() as u8, self.day.day()) >= (birth.month() as u8, birth.day());
        self.day.year() - birth.year() - i32::from(!had)
    }

    /// Makes a father and son of one name, and two people of one name and birthday, beside the twins that there are:
    /// none of them is a double.
    fn lookalikes(&mut self, dice: &mut Dice) {
        let free = |group: &Self, who: usize| {
            group.people[who].look_alike_of.is_none()
                && !group.people.iter().any(|other| other.look_alike_of == Some(who))
        };
        let sons: Vec<(usize, usize)> = (0..self.people.len())
            .filter(|son| self.people[*son].sex == Sex::Male && free(self, *son))
            .filter_map(|son| match self.people[son].father {
                Parent::Here(father) => Some((son, father)),
                Parent::Told(_) => None,
            })
            .collect();
        if !sons.is_empty() {
            let (son, father) = *dice.pick(&sons);
            self.people[son].name = self.people[father].name.clone();
            self.people[son].look_alike_of = Some(father);
        }
        for _ in 0..2 {
            // Those whose birthday nothing else depends on.
            let lone = |who: usize| {
                let being = &self.people[who];
                let of_household = self.people.iter().filter(|other| other.household == being.household);
                free(self, who)
                    && being.spouse.is_none()
                    && (being.relation == "chủ hộ" && of_household.clone().count() == 1
                        || being.relation == "con"
                            && of_household.clone().filter(|other| other.relation == "con").count() == 1)
            };
            let lone: Vec<usize> = (0..self.people.len()).filter(|who| lone(*who)).collect();
            let pairs: Vec<(usize, usize)> = lone
                .iter()
                .flat_map(|one| lone.iter().map(move |other| (*one, *other)))
                .filter(|(one, other)| {
                    let (one, other) = (&self.people[*one], &self.people[*other]);
                    one.household < other.household
                        && one.sex == other.sex
                        && one.people == other.people
                        && one.birth.year().abs_diff(other.birth.year()) <= 4
                })
                .collect();
            if pairs.is_empty() {
                return;
            }
            let (one, other) = *dice.pick(&pairs);
            let birth = self.people[one].birth;
            // A child bears the surname of its parents, so that the namesake takes the rest of the name only.
            let surname = self.people[other].name.surname;
            let name = match self.people[other].relation {
                "con" if surname != self.people[one].name.surname => {
                    names::with_surname(&self.people[one].name, surname)
                }
                _ => self.people[one].name.clone(),
            };
            self.people[other].name = name;
            self.people[other].birth = birth;
            self.people[other].look_alike_of = Some(one);
        }
    }

    /// Gives numbers for life to children since 2016 and to holders of the first cards with twelve digits, old numbers
    /// to those of fifteen and more, and records some deaths.
    fn numbers(&mut self, nation: &Nation, number: u64, dice: &mut Dice) {
        let mut cells: Vec<(Sex, i32, u64)> = vec![];
        for who in 0..self.people.len() {
            let age = self.age(who);
            let being = &mut self.people[who];
            let year = being.birth.year();
            let holder = being.registered.is_none() && (year >= 2016 || age >= 14 && dice.percent(22));
            if holder && let Ok(year_of_number) = u16::try_from(year) {
                let cell = match cells.iter().position(|(sex, of, _)| (*sex, *of) == (being.sex, year)) {
                    Some(cell) => cell,
                    None => {
                        cells.push((being.sex, year, 0));
                        cells.len() - 1
                    }
                };
                let nth = cells[cell].2;
                cells[cell].2 += 1;
                if nth < OWN_SERIALS {
                    let own = u64::from(self.seat.code.number()) << 16 | u64::from(year_of_number) << 1;
                    let key = nation.seed ^ (own | u64::from(being.sex == Sex::Female)) << 32;
                    let serial = scrambled(self.seat.ordinal * OWN_SERIALS + nth, 1_000_000, key);
                    let serial = u32::try_from(serial).expect("below a million");
                    being.number = PersonalNumber::compose(self.seat.code, being.sex, year_of_number, serial).ok();
                }
            }
            if age >= 15 && dice.percent(97) {
                let nth = number * SIZE + who as u64;
                being.old_number = Some(format!("9{:08}", scrambled(nth, 100_000_000, nation.seed ^ 0x0c4d)));
            }
            if matches!(being.relation, "cha" | "mẹ") && being.spouse.is_none() && dice.percent(6) {
                being.died =
                    Some(self.day - Duration::days(i64::from(10 + dice.of(900)))).filter(|day| *day > being.birth);
            }
        }
    }

    /// Returns what the person's form says, without a fault.
    pub(super) fn row(&self, who: usize, line: u64, dice: &mut Dice) -> Row {
        let being = &self.people[who];
        let household = &self.households[being.household];
        let code = being.registered.unwrap_or(self.seat.code);
        let birth_registration = DeclaredPlace {
            province: code.to_string(),
            detail: format!("Xã Mẫu {}", 1 + dice.of(40)),
            ..Default::default()
        };
        let (permanent, temporary) = match &household.permanent {
            Some(permanent) => (permanent.clone(), Some(household.home.clone())),
            None => (household.home.clone(), None),
        };
        let adult = self.age(who) >= 18;
        let declaration = Declaration {
            full_name: being.name.text.clone(),
            birth_date: written(being.birth),
            sex: if being.sex == Sex::Male { "Nam" } else { "Nữ" }.to_owned(),
            birth_registration,
            place_of_origin: being.origin.clone(),
            ethnic_group: format!("{:02}", being.people),
            religion: religion_name(household.religion).to_owned(),
            nationality: "VNM".to_owned(),
            marital_status: if adult { being.marital.word().to_owned() } else { "single".to_owned() },
            permanent_residence: Some(permanent),
            temporary_residence: temporary,
            current_residence: None,
            blood_group: if dice.percent(3) {
                (*dice.pick(&["O", "A", "B", "AB", "O", "B"])).to_owned()
            } else {
                String::new()
            },
            father: Some(self.parent(&being.father)),
            mother: Some(self.parent(&being.mother)),
            spouse: being.spouse.map(|spouse| self.relative(spouse)),
            representative: being.representative.map(|who| self.relative(who)),
            head_of_household: Some(self.relative(household.head)),
            relation_to_head: being.relation.to_owned(),
            died: being.died.map(written).unwrap_or_default(),
            missing_since: String::new(),
            old_id_number: being.old_number.clone().unwrap_or_default(),
            household_book_number: household.book.clone(),
        };
        Row {
            form: self.form_number(being.household, line),
            declared_on: household.declared_on,
            personal_number: being.number.map(|number| number.as_str().to_owned()).unwrap_or_default(),
            declaration,
        }
    }

    /// Returns the number of the paper form of a line.
    fn form_number(&self, household: usize, line: u64) -> String {
        format!("{}/{line:09}", self.seat.province.commune(self.households[household].commune).code())
    }

    /// Moves a form to this neighbourhood: another home, another paper, another day.
    pub(super) fn declared_here(&self, row: &mut Row, line: u64, dice: &mut Dice) {
        let household = dice.at(self.households.len());
        let here = &self.households[household];
        row.declaration.permanent_residence = Some(here.home.clone());
        row.declaration.temporary_residence = None;
        row.declaration.household_book_number.clone_from(&here.book);
        row.declaration.head_of_household = Some(self.relative(here.head));
        "ở nhờ".clone_into(&mut row.declaration.relation_to_head);
        self.declared_again(row, household, line, dice);
    }

    /// Writes a form a second time: another paper, another day.
    pub(super) fn declared_again(&self, row: &mut Row, household: usize, line: u64, dice: &mut Dice) {
        row.form = self.form_number(household, line);
        row.declared_on = self.day - Duration::days(i64::from(dice.of(60)));
    }

    /// Returns the old number of a person of another household, if one has any.
    pub(super) fn old_number_of_another(&self, who: usize, dice: &mut Dice) -> Option<String> {
        let other = &self.people[dice.at(self.people.len())];
        if other.household == self.people[who].household { None } else { other.old_number.clone() }
    }

    /// Returns the number for life of a person of another household, if one has any.
    pub(super) fn number_of_another(&self, who: usize, dice: &mut Dice) -> Option<PersonalNumber> {
        let other = &self.people[dice.at(self.people.len())];
        if other.household == self.people[who].household { None } else { other.number }
    }

    /// Returns the year in which the elder parent of the household was born.
    pub(super) fn parents_birth_year(&self, who: usize) -> Option<i32> {
        let years =
            [&self.people[who].father, &self.people[who].mother].into_iter().filter_map(|parent| match parent {
                Parent::Here(at) => self.people[*at].number.map(|_| self.people[*at].birth.year()),
                Parent::Told(_) => None,
            });
        years.min()
    }

    /// Returns true for the head of a household of more than one.
    pub(super) fn leads(&self, who: usize) -> bool {
        let of = self.people[who].household;
        self.households[of].head == who && self.people.iter().filter(|being| being.household == of).count() > 1
    }

    /// Returns true for a member who does not lead the household.
    pub(super) fn follows(&self, who: usize) -> bool {
        self.households[self.people[who].household].head != who
    }

    /// Returns the person as a relative of others.
    pub(super) fn relative(&self, who: usize) -> DeclaredRelative {
        let being = &self.people[who];
        DeclaredRelative {
            full_name: being.name.text.clone(),
            personal_number: being.number.map(|number| number.as_str().to_owned()).unwrap_or_default(),
            old_id_number: being.old_number.clone().unwrap_or_default(),
            nationality: "VNM".to_owned(),
        }
    }

    fn parent(&self, parent: &Parent) -> DeclaredRelative {
        match parent {
            Parent::Here(who) => self.relative(*who),
            Parent::Told(name) => DeclaredRelative {
                full_name: name.clone(),
                nationality: "VNM".to_owned(),
                ..DeclaredRelative::default()
            },
        }
    }
}

/// Parents of children, the one whose surname they bear first.
struct Couple {
    parent: usize,
    other: Option<usize>,
    people: u8,
}

fn either(dice: &mut Dice, men: u32) -> Sex {
    if dice.percent(men) { Sex::Male } else { Sex::Female }
}

/// Returns a day as forms have it.
pub(super) fn written(day: Date) -> String {
    format!("{:02}/{:02}/{}", day.day(), day.month() as u8, day.year())
}

/// Returns the same day in another year; 28 February of a year that has no 29th.
fn in_year(day: Date, year: i32) -> Date {
    day.replace_year(year).or_else(|_| Date::from_calendar_date(year, Month::February, 28)).unwrap_or(day)
}

/// Returns another number below `modulus` (a power of ten) for each number below it; no two have the same.
fn scrambled(number: u64, modulus: u64, key: u64) -> u64 {
    // Splitmix64, twice: a factor without the primes of ten, and a summand.
    let mix = |word: u64| {
        let word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    };
    let (one, two) = (mix(key.wrapping_add(0x9e37_79b9_7f4a_7c15)), mix(key ^ 0x5851_f42d_4c95_7f2d));
    let factor = one % (modulus / 10) * 10
        + [1, 3, 7, 9][usize::from(two.is_multiple_of(2)) + 2 * usize::from(one.is_multiple_of(2))];
    let product = u128::from(number % modulus) * u128::from(factor) + u128::from(two);
    u64::try_from(product % u128::from(modulus)).expect("below the modulus")
}

/// Ages of husbands, with shares.
const HEADS: &[(i32, i32, u32)] = &[
    (21, 24, 4),
    (25, 29, 14),
    (30, 34, 18),
    (35, 39, 17),
    (40, 44, 13),
    (45, 49, 10),
    (50, 54, 8),
    (55, 59, 7),
    (60, 64, 5),
    (65, 69, 3),
    (70, 86, 3),
];
