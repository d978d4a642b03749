-- Leases by province and year of birth: an import asks whether the numbers of its rows are leased.
create index number_lease_cell on number_lease (province, birth_year);
