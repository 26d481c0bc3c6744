"""An update replaces the plugin's files during a drain. The drain has loaded all its classes before, for each kind of answer."""

from __future__ import annotations

import pytest
from wordpress.harness.shop import Shop
from wordpress.test_customers_batch import connected

RUN = """
    // The files are new from the first call on, so no further class of the plugin may be loaded.
    $replaced = false;
    $loaded   = array();
    spl_autoload_register( static function ( $name ) use ( &$replaced, &$loaded ) {
        if ( $replaced && str_starts_with( $name, 'Tillsync\\\\Bridge\\\\' ) ) { $loaded[] = $name; }
    }, true, true );
    add_filter( 'pre_http_request', static function ( $done, $given, $url ) use ( &$replaced, $answer ) {
        $replaced = true;
        $message  = json_decode( $given['body'], true );
        $ids      = $message['orderIds'] ?? array_map( static fn( $one ) => $one['order']['orderId'], $message['orders'] ?? array() );
        return eval( $answer );
    }, 10, 3 );
    $services = Tillsync\\Bridge\\Plugin::services();
    $user     = wp_insert_user( array( 'user_login' => 'ada', 'user_email' => 'ada@example.test', 'user_pass' => 'x' ) );
    for ( $i = 0; $i < 3; $i++ ) {
        $order = new WC_Order();
        $order->set_customer_id( $user );
        $order->set_billing_email( 'ada@example.test' );
        $order->save();
        $services->get( Tillsync\\Bridge\\Orders\\Outbox::class )->request_match( $order->get_id(), false );
    }
    $drain  = $services->get( Tillsync\\Bridge\\Orders\\Drain::class );
    $report = $drain->run();
    // the poll after an event
    $services->get( Tillsync\\Bridge\\Orders\\Outbox::class )->request_poll( $order->get_id() );
    $drain->run( null, true );
    do_action( 'shutdown' );
    return array( $replaced, $loaded, $report->to_array() );
"""
ANSWER = "return array( 'headers' => array( 'content-type' => '%s' ), 'response' => array( 'code' => %d ), 'body' => %s );"
JSON = "application/json"


def ok(state: str, outcome: str) -> str:
    entry = f"'entryId' => \"e$id\", 'state' => 'ENTRY_STATE_{state}'"
    match = f"array( 'entry' => array( {entry} ), {entry}, 'outcome' => '{outcome}', 'comment' => 'said so', 'eposCustomerId' => '7' )"
    return results(f"array( 'ok' => {match} )")


def results(of_one: str) -> str:
    return ANSWER % (JSON, 200, f"json_encode( array( 'results' => array_map( static fn( $id ) => {of_one}, $ids ) ) )")


def error(status: int, code: str) -> str:
    return ANSWER % (JSON, status, f"json_encode( array( 'code' => '{code}', 'message' => 'said so' ) )")


ANSWERS = {
    "done": ok("PROCESSED", "OUTCOME_MATCHED_EMAIL"),
    "held": ok("HELD", "OUTCOME_DUPLICATE_EMAIL"),
    "held, products": ok("HELD", "OUTCOME_PRODUCT_NOT_MATCHED"),
    "failed": ok("FAILED", "OUTCOME_CUSTOMER_NOT_MATCHED"),
    "pending": ok("PENDING", ""),
    "one is refused": results("array( 'error' => array( 'code' => 3, 'message' => 'no' ) )"),
    "not known": results("array( 'error' => array( 'code' => 5, 'message' => 'no' ) )"),
    "another number": ANSWER % (JSON, 200, "'{}'"),
    "the whole call": error(400, "invalid_argument"),
    "refused": error(401, "unauthenticated"),
    "throttled": error(429, "resource_exhausted"),
    "unavailable": error(503, "unavailable"),
    "a page": ANSWER % ("text/html", 502, "'<html>'"),
    "a redirect": ANSWER % ("text/html", 301, "''"),
    "nobody": "return new WP_Error( 'http_request_failed', 'cURL error 7' );",
}


@pytest.mark.parametrize("name", list(ANSWERS))
@pytest.mark.shops("mariadb")
async def test_no_class_is_loaded_after_the_first_call(wp_site: Shop, name: str) -> None:
    await connected(wp_site)
    replaced, loaded, report = await wp_site.php(RUN, answer=ANSWERS[name])
    assert replaced
    assert sorted(set(loaded)) == [], report
