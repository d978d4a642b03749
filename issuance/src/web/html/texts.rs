//! The texts of the pages: one file for each language, with the same texts in both. A text that a template names and a
//! file lacks does not compile or fails a test; one that no page reads any more is dead code, and refused as such.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use ::pages::Language;
use serde::Deserialize;

/// Sections of single texts, and tables of words.
macro_rules! texts {
    (sections { $($section:ident: $kind:ident { $($text:ident)* })* } tables { $($(#[$doc:meta])* $table:ident)* }) => {
        /// The texts of one language.
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct Texts {
            /// The tag of the language.
            pub(crate) language: String,
            $(pub(crate) $section: $kind,)*
            $($(#[$doc])* pub(crate) $table: BTreeMap<String, String>,)*
            /// Problems, by their codes.
            pub(crate) problem: BTreeMap<String, ProblemText>,
        }

        $(
            #[derive(Debug, Deserialize)]
            #[serde(deny_unknown_fields)]
            pub(crate) struct $kind { $(pub(crate) $text: String,)* }
        )*
    };
}

texts! {
    sections {
        layout: LayoutTexts {
            brand unit sandbox skip main_pages home approvals language theme light dark contrast sign_out design
        }
        door: DoorTexts { title lead username password submit left ended }
        password: PasswordTexts { title lead old new new_hint submit changed }
        home: HomeTexts { title lead approvals approvals_none approvals_some none none_says }
        trouble: TroubleTexts { what code request back sign_in unsent }
        approvals: ApprovalsTexts {
            title order queue up_down empty empty_says pick pick_says nameless late today tomorrow due no_due tampered
            doubles taken mine more
        }
        file: FileTexts {
            reference opened captured blocked portrait portrait_none features features_none kind fee fee_due
            fee_free compare item register citizen same wrong mended unasked unasked_says agreed birth number_none
            doubles doubles_none doubles_says doubles_who doubles_why doubles_against doubles_score doubles_likely
            doubles_elsewhere nothing history history_on history_by claim_none claim_mine claim_other claim claim_release
            decide approve check send_back refuse keys keys_off keys_on keys_none send_back_title reasons says
            says_hint until until_hint send_back_do refuse_title refuse_says refuse_hint refuse_do looked complaint
            complaint_title complaint_refused complaint_words complaint_allowed
        }
        counter: CounterTexts {
            tab title lead find find_do number number_hint or_name looked office found found_more found_none
            found_none_says elsewhere how_replaced how_merged how_tones how_alike how_year work work_none
            work_none_says work_some back person person_elsewhere person_elsewhere_says brought brought_says
            issued compare compare_do unasked all_same differs same differs_here not_typed card_issued
            card_counts card_ended booked apply apply_do choose needs_word because because_hint open_there
            open_go open_elsewhere barred steps step_done step_find step_word step_features step_portrait
            step_fee step_send returned word word_col word_agrees word_disagrees word_says word_mended
            word_wrong wrong features features_hint features_do saved not_saved typed_before portrait quality photograph
            photograph_hint photograph_do camera camera_view camera_refused shutter fee_due fee_settled fee_paid
            fee_exempt fee_undone method receipt paid_on pay_do exemption ground evidence exempt_do papers cc02
            cc02_not_yet slip booking_taken missing missing_word missing_features missing_portrait answers send
            send_again resubmit done_word done_features done_portrait done_fee done_sent
        }
        done: DoneTexts { approved checked returned refused next last }
        design: DesignTexts {
            title lead buttons main side quiet danger busy not_yet not_yet_why with_key fields number number_hint birth
            birth_wrong name tags on_time waits late info ended running hours both_languages expiry residence notes
            good_title good wait_title wait bad_title bad progress step step_scan step_compare step_sign step_now
            empty empty_says queue_title queue_name queue_kind queue_due table table_caption place count dialog dialog_says
            dialog_field dialog_hint keep revoke portraits toast toast_open compare verdicts trusted refused unknown
            theme_hint
        }
        law: LawTexts { lacks_decider taken_back }
        persons: PersonsTexts {
            tab home title lead who who_hint who_chip birth birth_hint narrow father mother province any district commune
            unit_hint unit_wrong beginning alike purpose submit recorded found none none_says more name number born sex
            fits elsewhere number_wrong by_number by_replaced by_merged by_old_number by_name by_parents by_residence
            fit_exact fit_year_only fit_without_tones fit_beginning fit_word_order fit_some_words fit_one_letter
        }
        person: PersonTexts {
            back office identifier portrait_of living died missing whole findings merged merged_open waits hand_over cards
            cards_none cards_none_says chip issued expires no_limit state applications applications_none
            applications_none_says case opened earlier
        }
        readings: ReadingsTexts {
            tab home title lead person person_hint submit caption at who what case no_case none none_says older all service
            anyone acting
        }
        looked: LookedTexts {
            title lead link back caption told_at delayed none none_says at who purpose what came register refused older yourself
            recorded
        }
        handing: HandingTexts {
            tab title order find sought sought_hint none none_says some pick pick_says nameless recorded unknown unknown_says
            elsewhere elsewhere_says no_card blocked refused_before kept portrait portrait_says register chip document
            body_checked body_awaited body_doubted body_not_due checks checks_wrong check_face check_chip old old_wrong old_card
            old_card_says old_paper old_paper_says old_unknown old_unknown_says envelope envelope_hint slip slip_hint submit
            submit_says refuse refuse_title refuse_reason refuse_hint refuse_do done done_refused receipt
        }
        hearing: HearingTexts {
            title outcome outcome_wrong allowed upheld reason reason_hint submit barred allowed_done upheld_done
        }
        dashboard: DashboardTexts {
            tab home country office at at_kept back_country back_province print total open late share cards_today
            cards cards_made stages stages_says stage picture number ages ages_says age long_late just_late due_today
            due_soon due_later days days_says day no_cards no_cards_says as_table map map_says map_hint island
            measure measure_do beside provinces province offices office_head state in_time watch needs_help no_rows
            no_rows_says more
        }
        factory: FactoryTexts {
            tab title lead reload home_none home_some at batches batch no_batches no_batches_says more_batches
            draft_waits drafted released closed paused_because good of rate rate_unit left left_says left_none
            minutes hours spoiled spoiled_share waiting leased dropped progress stations no_stations no_stations_says more_stations
            heard heard_never blanks chip orders certificate readers_says failures no_failures no_failures_says
            failures_says cause remedy no_remedy chips last by_officer by_station stock differs adds_up cases account
            no_stock no_stock_says boxes box_way way due draft draft_says most most_hint most_wrong priority
            priority_hint priority_wrong draft_do draft_wrong draft_wrong_says done_drafted done_released done_paused done_resumed done_cancelled
            done_closed other_office other_office_do over over_says back far waits_second release_says close_says
            close_not_yet ready lease_over release resume close pause pause_says pause_do cancel cancel_says
            cancel_do drop_draft drop_draft_says drop_draft_do reason by_stations station lease items no_items
            no_items_says nameless place application stage used more_items
        }
        receipt: ReceiptTexts { title form says old handed citizen officer sign back print }
        registry: RegistryTexts {
            tab title home lead begin_form ways find_person figures campaign see_all next_page back
            back_person nameless reading reading_says reading_none changes changes_says changes_none merges
            merges_says merges_none quarantine quarantine_says quarantine_none begun begun_says begun_none
            form_called line tag_other tag_returned tag_ready tag_repair part_of hint_unit hint_date
            hint_number hint_old hint_ethnic hint_religion hint_nationality hint_form perhaps group_person
            group_places group_parents group_household group_rest form_lead came_back came_back_says
            read_otherwise checked checked_none keep check send dismiss dismiss_do reason reason_hint
            doubles reading_lead sent_by second second_says compare compared alike differ differ_says
            first_reading second_reading rest to_look_at enter give_back whole_file undo undo_says undo_do
            document document_hint source source_hint confidence on_form since change put_beside new_values
            new_values_says evidence propose propose_says proposed_by applied_by withdrawn_by decide own
            own_says apply apply_merge apply_undo apply_split take_back turn_down old_and_new old new
            follows follows_nothing second_person merge merge_says swap beside survivor merged take merge_do
            open_person person against nothing_against replay repair shape raw whole_row columns
            other_columns correct correct_says drop_row country persons right right_says enough enough_says
            clean clean_says living living_says living_term verified unit units csv no_persons
            no_persons_says place_unknown entered expected behind behind_by on_time done_on done_on_says
            all_entered never_at_this_rate mark_says handed_in no_plan no_plan_says
        }
        administration: AdministrationTexts {
            tab title lead ways overview proposals officers deputies offices calendar stations tables keys waits_none
            waits_some officers_says deputies_says offices_says calendar_says stations_says stations_end tables_says
            keys_says keys_alarm office_hint office_own reason reason_hint
        }
        officers: OfficersTexts {
            title new new_says new_do new_name_hint find name name_hint office role role_hint role_any role_none roles
            roles_hint excluded state state_hint state_service state_ended state_all made found more none none_says
            recorded stands_changed stands_ended stands_open stands_due stands_token stands_without account last
            last_none last_one last_two refused refused_one locked lock_says waits waits_open stands_for has_deputy
            deputy_waits certificates cert_none cert_none_says cert_ends cert_use cert_granted cert_lapsed cert_ended
            cert_revoked cert_not_yet acts acts_says act_roles propose_roles act_office new_office propose_office
            act_reset reset_says propose_reset act_certificate certificate_says propose_certificate act_revoke
            revoke_says act_end end_says end_do end_by_two propose_end act_enable enable_says propose_enable own
            done_proposed done_effective done_ended done_revoked
        }
        proposals: ProposalsTexts {
            title lead waiting none none_says officer change by at until offline what roles_now appoint certificate
            disable enable reset to_office to_roles alone alone_waits confirm withdraw done_withdrawn token token_once
            token_password token_certificate token_until token_print token_done
        }
        first_password: FirstPasswordTexts {
            way title lead code code_hint submit done
        }
        stations: StationsTexts {
            title lead new new_says new_do all none none_says more name name_hint csr csr_hint csr_file csr_file_hint
            in_use days_left ended revoked revoked_why certificate made ends next download authority renews revoke
            revoke_says done_enrolled done_revoked
        }
        units: UnitsTexts {
            title find sought sought_hint found none none_says code code_hint name kind province province_hint parent
            since ended_tag ended ended_into make make_do now hours officers deputies change change_says change_do
            history by from_start done_made done_changed
        }
        calendar: CalendarTexts {
            title lead days day weekday name name_hint kind off worked working unknown computed announced
            from_settings propose propose_says propose_do reason_hint to_work to_rest own confirm done_proposed
            done_confirmed
        }
        deputies: DeputiesTexts {
            title lead choose of_office none none_says for_word lends proposed appointed acting over confirm another
            end end_do appoint appoint_says absent deputy name_hint from from_hint to period_hint appoint_do
            why_appointer why_nothing why_oneself why_office why_overlaps why_further why_roles why_past why_reversed
            why_long done_appointed done_proposed done_confirmed done_ended
        }
        hours: HoursTexts {
            title lead versions since in_force later over none none_says closed weekday from to minutes desks set
            set_says since_hint rows rows_hint set_do done row_wrong why_desks why_overlap why_from why_slot why_many
        }
        tables: TablesTexts {
            title lead show table table_hint provinces districts communes day day_hint day_wrong within within_hint
            versions unchanged first shown ahead on more none none_says name name_en from until successor from_files
        }
        keys: KeysTexts {
            title lead all purpose algorithm from until signs_until days signatures succeeded fine notice warning
            critical list_title list list_over list_unreadable by_hand masters masters_says version in_stock in_cards
        }
        meanwhile: MeanwhileTexts { now_kept }
        lists: ListsTexts { first first_of station }
        prints: PrintsTexts {
            title lead back back_card back_file ten flat flat_says number finger state nothing size by look left whole
            upload files files_hint which which_hint which_auto upload_do missing missing_says because choose
            missing_do wrong kept done_taken done_missing looked one_looked alt step missing_send take see
        }
        objections: ObjectionsTexts {
            tab title lead ways waiting late_ones answered none none_late none_answered none_says some some_late one
            state due answered_at about made to_look to_record upheld rejected changed_elsewhere nameless called back words what looker partner_officer partner_case look_gone
            record_says open_person open_record open_looks ways_recorded history answers made_says answered_says
            answer act act_says verdict verdict_wrong uphold reject tell tell_hint submit own own_says unsent
            unsent_says recorded done
        }
        due: DueTexts { late late_days hours_left days_left }
        partners: PartnersTexts {
            tab title lead ways all partner code state systems system certificate no_systems no_systems_says who
            contact drafted_by confirmed_by ended_by drafted joined ended in_use revoked as_member as_carrier certificate_over
            certificate_ends changed_elsewhere none none_says home home_some recorded
        }
        agreements: AgreementsTexts {
            title lead choose one number from until grants_count none none_with none_says terms basis kept days
            signatures drafted_by signed_by protected_by ended_by missing opens purpose fields_of dimensions_of small_cell about country
            per_day questions_per_day hours always hours_say procedures tells_which number_alone births sign sign_says signs_for_register
            signs_for_persons own_side waits_register waits_persons end end_says end_do done_signed done_ended
        }
        emergencies: EmergenciesTexts {
            tab title lead waiting none none_says some some_late one due incident opened until called back what
            nobody review act act_says verdict justified not_justified remarks remarks_hint submit own own_says
            recorded done
        }
        held_births: HeldBirthsTexts {
            title lead waiting none none_says one partner against nameless called back message brought registration
            reported act act_says because submit refuse told recorded_already message_wrong refuse_do recorded
            open_child done_numbered done_refused
        }
    }
    tables {
        /// Accounts of the stock.
        account
        /// Looks at a person's data.
        action
        /// What speaks against two persons being one.
        against
        /// States of a batch of cards.
        batch
        /// States of a card.
        card
        /// What chips are.
        chip
        /// What a station does.
        doing
        /// What is to be done about a station that does so.
        doing_says
        /// What speaks for two persons being one.
        duplicate
        /// Events of the register.
        event
        /// Fields of the register.
        field
        /// What is found in a photograph.
        finding
        /// Forms on which an event rests.
        form
        /// Grounds on which no fee is due.
        ground
        /// What is applied for, with its reason.
        kind
        /// How a fee is paid.
        method
        /// What became of the document that a citizen had.
        old_document
        /// For what a person's data are read.
        purpose
        /// Why a dossier is returned.
        reason
        /// Roles of officers.
        role
        /// Sexes.
        sex
        /// Stages of an application.
        stage
        /// What a kind of change is for.
        change
        /// How sure a fact is.
        confidence
        /// What follows from a change of the register.
        consequence
        /// How fields and their parts are called in forms of the register.
        label
        /// Marital statuses.
        marital
        /// What becomes of records.
        merging
        /// What was done on a page of the register.
        registry_done
        /// What became of a row in quarantine.
        row_state
        /// What the rules of the register say, and what to do.
        rule
        /// From whom a fact comes.
        source
        /// What a key of the service is for.
        key_purpose
        /// What an office is.
        unit_kind
        /// The days of the week.
        weekday
        /// Fingers, and flat images of them.
        finger
        /// Why there is no image of a finger.
        no_print
        /// Fields that answers to other authorities have beside those of the register.
        told_field
        /// What other authorities may ask.
        service
        /// What other authorities count persons by.
        dimension
        /// What came of a question of another authority.
        outcome
        /// What is to be said of the image of a finger.
        print_finding
        /// Why the image of a finger is not used.
        print_fault
        /// Why a birth that a partner reported is held.
        held_because
        /// Which agreements a list has.
        agreement_list
        /// What is to be done about an agreement.
        standing
    }
}

/// A problem in the words of the pages.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProblemText {
    /// What is wrong.
    pub(crate) title: String,
    /// What to do.
    pub(crate) says: String,
}

impl Texts {
    /// Returns the word of a table; a test holds that each is there.
    #[expect(clippy::unused_self, reason = "a word is asked of the texts of one language")]
    pub(crate) fn word(&self, table: &'static BTreeMap<String, String>, word: &str) -> &'static str {
        table.get(word).map_or("?", String::as_str)
    }

    /// True for the Vietnamese texts.
    pub(crate) fn is_vietnamese(&self) -> bool {
        self.language == Language::Vi.tag()
    }
}

/// Returns the texts of a language.
pub(crate) fn texts(language: Language) -> &'static Texts {
    match language {
        Language::En => &EN,
        Language::Vi => &VI,
    }
}

/// Writes values into the places of a text: `{n}`.
pub(crate) fn fill(text: &str, values: &[(&str, &str)]) -> String {
    let (mut filled, mut rest) = (String::with_capacity(text.len()), text);
    // From left to right, once: what a value says is no place for another one.
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let place = after.split_once('}');
        let found = place.and_then(|(place, rest)| Some((values.iter().find(|(name, _)| *name == place)?.1, rest)));
        rest = match found {
            Some((value, rest)) => {
                filled.push_str(value);
                rest
            }
            None => {
                filled.push('{');
                after
            }
        };
    }
    filled + rest
}

static EN: LazyLock<Texts> = LazyLock::new(|| read(include_str!("texts.en.toml")));
static VI: LazyLock<Texts> = LazyLock::new(|| read(include_str!("texts.vi.toml")));

fn read(file: &str) -> Texts {
    toml::from_str(file)
        .unwrap_or_else(|error| panic!("the texts of the pages are complete, a test holds that: {error}"))
}

#[cfg(test)]
mod tests {
    use crypto::perso::problem::ProblemCode;
    use toml::Table;

    use super::*;
    use crate::ground::Role;

    #[test]
    fn what_a_value_says_is_filled_in_as_it_is() {
        let values = [("name", "{at} {name}"), ("at", "today")];
        assert_eq!(fill("{name}: {at}, {other} {", &values), "{at} {name}: today, {other} {");
    }

    fn files() -> [(&'static str, Table); 2] {
        [("en", include_str!("texts.en.toml")), ("vi", include_str!("texts.vi.toml"))]
            .map(|(name, file)| (name, file.parse().unwrap()))
    }

    /// The texts of a file by their names, with dots between the parts.
    fn names(prefix: &str, table: &Table) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for (name, value) in table {
            let name = format!("{prefix}{name}");
            match value {
                toml::Value::Table(inner) => found.extend(names(&format!("{name}."), inner)),
                value => _ = found.insert(name, value.as_str().unwrap_or_else(|| panic!("a text")).to_owned()),
            }
        }
        found
    }

    #[test]
    fn both_languages_have_every_text_and_none_is_empty() {
        let [(_, en), (_, vi)] = files();
        let (en, vi) = (names("", &en), names("", &vi));
        assert_eq!(en.keys().collect::<Vec<_>>(), vi.keys().collect::<Vec<_>>());
        for (name, text) in en.iter().chain(&vi) {
            assert!(!text.trim().is_empty() && text.trim() == text, "{name}");
            assert!(!text.contains('!'), "{name}: no exclamation marks");
        }
        // Each place of a text is in both.
        let places = |text: &str| {
            let mut places: Vec<String> = text
                .split('{')
                .skip(1)
                .filter_map(|rest| rest.split_once('}'))
                .map(|(name, _)| name.to_owned())
                .collect();
            places.sort();
            places
        };
        for (name, text) in &en {
            assert_eq!(places(text), places(&vi[name]), "{name}");
        }
        assert_eq!((&*texts(Language::En).language, &*texts(Language::Vi).language), ("en", "vi"));
    }

    #[test]
    fn texts_are_composed_as_the_fonts_need_them() {
        use unicode_normalization::UnicodeNormalization as _;
        for (language, file) in files() {
            for (name, text) in names("", &file) {
                assert_eq!(text.nfc().collect::<String>(), text, "{language} {name}");
            }
        }
    }

    #[test]
    fn every_problem_with_a_text_of_its_own_is_one_of_the_catalogue() {
        for code in texts(Language::Vi).problem.keys() {
            assert!(code.parse::<ProblemCode>().is_ok(), "{code}");
        }
    }

    #[test]
    fn every_role_has_a_name() {
        for language in Language::ALL {
            let t = texts(language);
            for role in Role::ALL {
                assert_ne!(t.word(&t.role, role.name()), "?", "{}", role.name());
            }
        }
    }

    #[test]
    fn a_value_stands_in_its_place() {
        assert_eq!(fill("{n} of {m}, {n}", &[("n", "1"), ("m", "2")]), "1 of 2, 1");
    }
}
