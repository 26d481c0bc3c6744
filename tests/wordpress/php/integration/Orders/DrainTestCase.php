<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

require_once __DIR__ . '/../BridgeTestCase.php';

/** Base of tests with a connected shop and due orders. */
abstract class DrainTestCase extends BridgeTestCase {
	protected function setUp(): void {
		parent::setUp();
		$this->connect();
	}

	/** @return \WC_Order[] */
	protected function due_orders( int $count ): array {
		$orders = array();
		for ( $i = 0; $i < $count; $i++ ) {
			$orders[] = $this->due_order( 0, array( 'email' => "person$i@example.test" ) );
		}
		// The plugin's own hook has already added them, by the real clock.
		$this->clock->now = max( $this->clock->now, time() ) + 31;
		return $orders;
	}

	/** Answers every order as decided. */
	protected static function decided( string $state = 'ENTRY_STATE_PROCESSED' ): \Closure {
		return static fn( array $message ) => array( 'results' => array_map( static fn( $order ) => array( 'ok' => array( 'entry' => array( 'entryId' => 'e' . $order['order']['orderId'], 'state' => $state ), 'outcome' => 'OUTCOME_MATCHED_EMAIL', 'comment' => 'Matched by email', 'eposCustomerId' => '41' ) ), $message['orders'] ) );
	}
}
