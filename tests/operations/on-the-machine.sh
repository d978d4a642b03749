# The steps of the drill, on the machine: what an administrator does by docs/operations.md, "The first hour".
set -Eeuo pipefail
trap 'echo "the drill failed in line $LINENO: $BASH_COMMAND" >&2' ERR
step=$1 engine=${2:-} world=/world/${2:-}
DATA=/var/lib/citizen-card KEK=/etc/citizen-card/kek
export ISSUANCE_CONFIG=/etc/citizen-card/issuance.toml ISSUANCE_KEY_FILE=$KEK
unit=/lib/systemd/system/citizen-card-issuance.service
equal() { [ "$1" = "$2" ] || { echo "$3: expected '$2', found '$1'" >&2; exit 1; }; }

# --- packages ---

installs() {
    apt-get update -qq
    apt-get install -y --no-install-recommends /world/packages/*.deb \
        pcscd vsmartcard-vpcd postgresql age curl jq ca-certificates iproute2
    for program in issuance card-agent hardware-sim; do
        "$program" --version
        [ -s "/usr/share/man/man1/$program.1.gz" ] && [ -s "/usr/share/bash-completion/completions/$program" ]
    done
    getent passwd citizen-card citizen-card-station
    equal "$(stat -c %U:%a /etc/citizen-card)" root:755 "the folder of settings"
    # Settings of the administrator and data survive an upgrade, a removal and even a purge of the data's package.
    echo '# mine' >> /etc/citizen-card/issuance.toml
    install -d -o citizen-card -g citizen-card -m 0700 $DATA && touch $DATA/kept
    for package in /world/packages/*.deb; do
        dpkg-deb -R "$package" /tmp/later
        sed -i 's/^Version: .*/&+later/' /tmp/later/DEBIAN/control
        dpkg-deb -Zgzip -z1 --build /tmp/later "/tmp/$(basename "$package")" > /dev/null
        rm -r /tmp/later
    done
    dpkg --install /tmp/*.deb
    dpkg-query -W -f '${Package} ${Version} ${Status}\n' 'citizen-card-*' | grep -c '+later install ok installed' | grep -qx 3
    grep -qx '# mine' /etc/citizen-card/issuance.toml
    dpkg --remove citizen-card-issuance citizen-card-station citizen-card-simulator
    grep -qx '# mine' /etc/citizen-card/issuance.toml && [ -e $DATA/kept ] && [ ! -e /usr/bin/issuance ]
    dpkg --purge citizen-card-issuance citizen-card-station citizen-card-simulator
    [ ! -e /etc/citizen-card/issuance.toml ] && [ -e $DATA/kept ] && [ ! -e $unit ]
    rm $DATA/kept
    dpkg --install /world/packages/*.deb
    dpkg --configure --pending # a second time changes nothing
    rm -f /tmp/*.deb
}

units() {
    for unit in citizen-card-issuance citizen-card-archive citizen-card-crl citizen-card-station; do
        systemd-analyze verify --man=no "/lib/systemd/system/$unit.service"
        systemd-analyze security --offline=true --threshold=20 "/lib/systemd/system/$unit.service" | tail -1
    done
}

# --- as systemd would ---

# The service by its unit: the same program, account, environment and credential.
serves() {
    local credentials=/run/credentials/citizen-card-issuance.service
    install -d -m 0700 -o citizen-card -g citizen-card $credentials
    install -m 0400 -o citizen-card -g citizen-card $KEK $credentials/kek
    local environment program
    mapfile -t environment < <(sed -n "s|^Environment=||p" $unit | sed "s|%d|$credentials|")
    program=$(sed -n 's/^ExecStart=//p' $unit)
    # shellcheck disable=SC2086
    (umask 0077; cd /; exec env -i PATH=/usr/bin:/bin "${environment[@]}" setpriv --reuid=citizen-card --regid=citizen-card \
        --init-groups --no-new-privs --bounding-set=-all $program) > /tmp/issuance.out 2> /tmp/issuance.log &
    service=$!
    for _ in $(seq 600); do
        curl --silent --cacert $DATA/tls-ca.pem "$SERVICE/readyz" > /dev/null && return
        kill -0 $service 2> /dev/null || break
        sleep 0.1
    done
    tail -20 /tmp/issuance.log >&2
    return 1
}
stops() { kill $service && wait $service || true; }
# What root's commands leave behind must be the service's.
all_is_the_services() { equal "$(find $DATA ! -user citizen-card | head -3)" "" "files in $DATA that the service cannot use"; }

starts_postgresql() {
    # Root and the service's account come in as the service's role, over the socket and without a password.
    local folder=/etc/postgresql/15/main
    sed -i '1i local citizen_card "citizen-card" peer map=citizen' $folder/pg_hba.conf
    printf 'citizen root citizen-card\ncitizen citizen-card citizen-card\n' >> $folder/pg_ident.conf
    sed -i "s/^#\?listen_addresses.*/listen_addresses = '127.0.0.1'/" $folder/postgresql.conf
    pg_ctlcluster 15 main start
    cd / # where the account postgres may be
    setpriv --reuid=postgres --regid=postgres --init-groups createuser citizen-card
    setpriv --reuid=postgres --regid=postgres --init-groups createdb --owner=citizen-card citizen_card
    cd - > /dev/null
}
DATABASE='postgres:///citizen_card?host=/var/run/postgresql&user=citizen-card'

settings() {
    sed -i 's/^extra_provinces = .*/extra_provinces = [{ code = "003", name = "Tỉnh Mẫu" }]/' $ISSUANCE_CONFIG
    [ "$engine" = sqlite ] || { starts_postgresql; sed -i "s|^# database = .*|database = \"${DATABASE//&/\\&}\"|" $ISSUANCE_CONFIG; }
    issuance config check
}

# --- officers, by curl ---

SERVICE=https://localhost:8443
call() { curl --silent --show-error --fail-with-body --cacert $DATA/tls-ca.pem "$@"; }
signs_in() {
    jq -n --arg name "$1" --rawfile password "$world/$1.password" '{username: $name, password: $password}' > sign-in.json
    call --json @sign-in.json "$SERVICE/api/v1/sessions" | jq -r .token > "$1.token"
}
get() { call -H "Authorization: Bearer $(cat "$1.token")" "$SERVICE$2"; }
post() {
    call -H "Authorization: Bearer $(cat "$1.token")" -H "Idempotency-Key: $(cat /proc/sys/kernel/random/uuid)" --json "@$3" "$SERVICE$2"
}
sets_password() { # NAME TOKEN
    head -c 12 /dev/urandom | base64 | tr -d '\n' > "$world/$1.password"
    jq -n --arg token "$2" --rawfile password "$world/$1.password" '{token: $token, password: $password}' > first.json
    call --json @first.json "$SERVICE/api/v1/password"
    signs_in "$1"
}

appoints_all() {
    tr -d '\n' < $DATA/admin-password > "$world/admin.password"
    signs_in admin
    head -c 12 /dev/urandom | base64 | tr -d '\n' > own.password
    jq -n --rawfile old "$world/admin.password" --rawfile new own.password '{old: $old, new: $new}' > change.json
    post admin /api/v1/me/password change.json
    mv own.password "$world/admin.password" && rm $DATA/admin-password
    signs_in admin
    echo '{"username": "admin-2", "roles": ["admin"], "office": "national"}' > officer.json
    sets_password admin-2 "$(post admin /api/v1/officers officer.json | jq -r .token)"
    for appointed in registrar:registrar capture:capture approver:approver stock:stock counter:hand-over auditor:auditor; do
        jq -n --arg name "${appointed%:*}" --arg role "${appointed#*:}" '{username: $name, roles: [$role], office: "003-001"}' > officer.json
        proposal=$(post admin /api/v1/officers officer.json | jq -r .proposal_id)
        sets_password "${appointed%:*}" "$(post admin-2 "/api/v1/officer-proposals/$proposal/confirmation" nothing.json | jq -r .token)"
    done
}

# --- readers, chips, station ---

STATION=/var/lib/citizen-card-station
# Two chips on virtual readers of a real pcscd. The chips are things: they outlive the machine.
lays_in_chips() {
    hardware-sim --readers 2 --insert all --pcscd /run/readers --state "$world/chips" --control /run/reader.sock \
        --transport-master "$world/transport.hex" > /tmp/simulator.out 2> /tmp/simulator.log &
    for _ in $(seq 300); do grep -q '^ready 1' /tmp/simulator.out && break; sleep 0.1; done
    grep -q '^ready 1' /tmp/simulator.out || { cat /tmp/simulator.log >&2; return 1; }
    export PCSCLITE_CSOCK_NAME=/run/readers/pcscd.comm
    chmod 755 /run/readers && chmod 666 $PCSCLITE_CSOCK_NAME # as pcscd.socket of Debian has it
    for _ in $(seq 100); do [ "$(card-agent readers | grep -vc empty)" = 2 ] && break; sleep 0.1; done
    mapfile -t reader < <(card-agent readers | cut -f 1 | sort)
}
station() { setpriv --reuid=citizen-card-station --regid=citizen-card-station --init-groups "$@"; }
enrols() {
    install -d -m 0700 -o citizen-card-station -g citizen-card-station $STATION
    install -m 0644 $DATA/tls-ca.pem $DATA/csca.der /tmp/
    station card-agent enrol --station $STATION --name counter-1 --service "$SERVICE" --service-ca /tmp/tls-ca.pem --anchor /tmp/csca.der
    jq -n --rawfile csr $STATION/csr.pem '{name: "counter-1", office: "003-001", csr_pem: $csr}' > station.json
    post admin /api/v1/stations station.json > registered.json
    jq -r .certificate_pem registered.json > /tmp/station.pem && chmod 644 /tmp/station.pem
    station card-agent enrol --station $STATION --certificate /tmp/station.pem
}
delivers() {
    hardware-sim --readers 2 --state "$world/chips" --serials | jq -R -s 'split("\n") | map(select(. != ""))' > serials.json
    jq '{manufacturer: "Simulated Silicon", batch: "2026-01", transport_key_id: "simulator", serials: .}' serials.json > delivery.json
    jq --arg id "$(jq -r .id registered.json)" '{serials: ., station_id: $id}' serials.json > custody.json
    post stock /api/v1/stock/deliveries delivery.json > /dev/null
    post stock /api/v1/stock/custody custody.json > /dev/null
    for i in 0 1; do station card-agent intake --station $STATION --reader "${reader[$i]}"; done
}

# A citizen from the declaration to the card in hand. Leaves the number in $number, the card in $card.
issues() { # READER FULL-NAME BIRTH
    jq -n --arg name "$2" --arg born "$3" '{ full_name: $name, birth_date: $born, sex: "Nữ", nationality: "VNM", ethnic_group: "01",
        religion: "", marital_status: "single", relation_to_head: "con", birth_registration: { province: "003" },
        place_of_origin: { province: "003", detail: "Phường Thử, Tỉnh Mẫu" },
        permanent_residence: { province: "003", detail: "Số 1 Phố Mẫu, Phường Thử, Tỉnh Mẫu" },
        father: { full_name: "Nguyễn Văn Mẫu" }, mother: { full_name: "Trần Thị Thử" },
        head_of_household: { full_name: "Nguyễn Văn Mẫu" } }' > declaration.json
    person=$(post registrar /api/v1/declarations declaration.json | jq -r .person_id)
    number=$(post registrar "/api/v1/persons/$person/number" nothing.json | jq -r .personal_number)
    jq -n --arg person "$person" '{person_id: $person, kind: "first", office: "003-001"}' > application.json
    application=$(post capture /api/v1/applications application.json | jq -r .id)
    base64 -w 0 /world/photograph.jpg | jq -R '{portrait: ., features: "Nốt ruồi cách 2 cm dưới đuôi mắt trái"}' > capture.json
    slip=$(post capture "/api/v1/applications/$application/capture" capture.json | jq -r .slip)
    get approver "/api/v1/applications/$application" | jq '{dossier: .dossier_sha256}' > approval.json
    post approver "/api/v1/applications/$application/approval" approval.json > /dev/null
    station card-agent personalize --station $STATION --reader "$1"
    card=$(get capture "/api/v1/applications/$application" | jq -r .card_id)
    jq -n --arg slip "$slip" '{slip: $slip}' > slip.json
    equal "$(post counter "/api/v1/cards/$card/hand-over" slip.json | jq -r .status)" active "the card"
}
inspects() { # READER NUMBER
    call "$SERVICE/api/v1/trust-bundle" > trust-bundle.cms
    equal "$(card-agent inspect --json --reader "$1" --bundle trust-bundle.cms --anchor $DATA/csca.der --state newest.json \
        --can "${2: -6}" | jq -r .result.verdict)" trusted "the card of $2"
}
# What room is left on the disk of the machine that runs the drill is no matter of the drill.
nothing_is_critical() {
    issuance status > /dev/null || [ $? -ge 4 ]
    (issuance status --json || true) | jq '[.findings[] | select(.severity == "critical" and .about != "disk")]' > critical.json
    equal "$(jq length critical.json)" 0 "critical: $(cat critical.json)"
}

founds() {
    ip link set lo up
    cd "$(mktemp -d)" && umask 077 && echo '{}' > nothing.json
    mkdir -p "$world" && head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' > "$world/transport.hex"
    head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' > $KEK
    settings
    issuance init --transport-key "simulator=$world/transport.hex"
    chown -R citizen-card: $DATA
    serves
    appoints_all
    lays_in_chips
    enrols
    delivers
    issues "${reader[0]}" "Nguyễn Thị Mẫu" 05/01/2000
    inspects "${reader[0]}" "$number"
    nothing_is_critical
    age-keygen -o "$world/data-identity.txt" 2> /dev/null && age-keygen -o "$world/keys-identity.txt" 2> /dev/null
    issuance backup "$world/backup" --recipient "$(age-keygen -y "$world/data-identity.txt")" \
        --keys-recipient "$(age-keygen -y "$world/keys-identity.txt")"
    all_is_the_services
    # What the world outside keeps: the station, its journal, and what people remember.
    cp -a $STATION "$world/station"
    issuance status --json > "$world/status.json" || true
    jq -n --arg number "$number" --arg card "$card" --arg person "$person" '$ARGS.named' > "$world/first.json"
    stops
}

restores() {
    ip link set lo up
    cd "$(mktemp -d)" && umask 077 && echo '{}' > nothing.json
    settings
    issuance restore --verify "$world/backup"
    # Restored into an empty place; the settings of this machine name it.
    [ "$engine" = sqlite ] || export ISSUANCE_DATABASE=$DATABASE
    issuance restore "$world/backup" --data $DATA --key-file $KEK \
        --identity "$world/data-identity.txt" --keys-identity "$world/keys-identity.txt"
    unset ISSUANCE_DATABASE
    chown -R citizen-card: $DATA
    cp -a "$world/station" $STATION && chown -R citizen-card-station: $STATION
    issuance reconcile --journal $STATION
    issuance crl
    chown -R citizen-card: $DATA # the page says so: what root wrote
    serves
    lays_in_chips
    for name in registrar capture approver counter auditor; do signs_in $name; done
    old=$(jq -r .number "$world/first.json")
    inspects "${reader[0]}" "$old"
    equal "$(get registrar "/api/v1/persons/$(jq -r .person "$world/first.json")" | jq -r .personal_number)" "$old" "the first number"
    equal "$(get counter "/api/v1/cards/$(jq -r .card "$world/first.json")" | jq -r .status)" active "the first card"
    issues "${reader[1]}" "Trần Thị Thử" 06/02/1999
    inspects "${reader[1]}" "$number"
    [ "$number" != "$old" ] && [ "$card" != "$(jq -r .card "$world/first.json")" ]
    nothing_is_critical
    # Counters went on above what the backup knew.
    signatures='[.. | .signatures_left? | numbers] | add'
    (issuance status --json || true) | jq "$signatures" > left
    jq -e --argjson left "$(cat left)" "$signatures - 10000 >= \$left" "$world/status.json" > /dev/null ||
        equal "$(cat left)" "at least 10000 less than $(jq "$signatures" "$world/status.json")" "signatures left"
    issuance verify
    all_is_the_services
    stops
    echo "numbers $old and $number"
}

"$step"
