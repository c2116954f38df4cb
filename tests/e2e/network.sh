#!/bin/bash
# Workers behind a proxy that loses, delays, tears and goes silent: what was acknowledged is stored, and the sweep
# ends with every number of the undisturbed one.
. "$(dirname "$0")/lib.sh"
SWEEP=$ROOT/tests/e2e/small.yaml

# begin: a coordinator, a proxy, and a worker behind it, half-way through its runs.
begin() {
    coord --exit-when-done --heartbeat 200ms --lease 2s "$SWEEP"
    proxy way
    worker one -j 2 --connect "$way_END"
    await 30 holds "SELECT count(*) FROM runs WHERE state = 'running' AND epochs_done BETWEEN 100 AND 4000"
}

end() {
    ends coord 0
    same_as_undisturbed
}

stored() { query "SELECT total(epochs_done + 1) FROM runs" | cut -d. -f1; }

# further N: so many epochs more are stored than when it was asked first, or the sweep is at its end.
further() { await 60 holds "SELECT total(epochs_done + 1) >= $(($(stored) + $1)) OR min(state) = 'finished' FROM runs"; }

lost() { holds "SELECT count(*) FROM attempts WHERE outcome = 'lost'"; }

test_a_cut_longer_than_the_lease_costs_attempts_and_nothing_else() {
    begin
    order way hold up
    order way hold down
    await 30 lost
    order way pass
    end
}

test_what_workers_say_vanishes_for_longer_than_the_lease() {
    begin
    order way drop up
    await 30 lost
    order way pass
    end
}

test_acknowledgements_vanish_and_epochs_arrive_once() {
    begin
    order way drop down
    await 30 grep -q -e ack_overdue -e lost_coordinator "$DIR/one.err"
    order way pass
    end
}

test_connections_are_reset_within_messages_again_and_again() {
    begin
    order way tiny
    order way delay 20
    for _ in 1 2 3 4 5 6; do
        further 1000
        order way cut
    done
    end
}

# The proxy never passes again what it cut: the worker finds out by itself.
test_a_half_open_connection_is_noticed_by_its_silence() {
    begin
    order way half
    await 60 grep -q -e ack_overdue -e lost_coordinator "$DIR/one.err"
    end
}

run_tests
