<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Orders\Outbox;
use Tillsync\Bridge\Orders\OutboxRow;

require_once __DIR__ . '/../BridgeTestCase.php';

final class OutboxTest extends BridgeTestCase {
	private function outbox(): Outbox {
		return $this->services->get( Outbox::class );
	}

	/** @return int[] */
	private function claimed( string $state = OutboxRow::WAITING, int $limit = 100 ): array {
		return array_map( static fn( $row ) => $row->order_id, $this->outbox()->claim( $state, $limit, 120 ) );
	}

	public function test_an_order_has_one_row_after_repeated_adds(): void {
		$this->outbox()->add( 7 );
		$first = $this->row( 7 );
		$this->advance( 100 );
		$this->outbox()->add( 7 );
		$this->assertEquals( $first, $this->row( 7 ) );
		$this->assertSame( $first->created_at + 30, $first->due_at );
	}

	public function test_a_row_is_due_after_thirty_seconds(): void {
		$this->outbox()->add( 7 );
		$this->advance( 29 );
		$this->assertSame( array(), $this->claimed() );
		$this->advance( 1 );
		$this->assertSame( array( 7 ), $this->claimed() );
	}

	public function test_a_claimed_row_is_not_claimed_again_until_the_claim_ends(): void {
		$this->outbox()->add( 7 );
		$this->advance( 30 );
		$row = $this->outbox()->claim( OutboxRow::WAITING, 10, 120 )[0];
		$this->assertSame( array(), $this->claimed() );
		$this->assertNull( $this->outbox()->claim_one( 7, 120 ) );
		$this->advance( 121 );
		$this->assertSame( array( 7 ), $this->claimed() );
		// The first claim has expired, so its result is refused.
		$this->assertFalse( $this->outbox()->record( $row, array( 'state' => OutboxRow::DONE ) ) );
		$this->assertSame( OutboxRow::WAITING, $this->row( 7 )->state );
		$this->assertNotSame( '', $this->row( 7 )->claim_token );
	}

	public function test_claims_are_disjoint_and_oldest_first(): void {
		foreach ( range( 1, 5 ) as $order_id ) {
			$this->outbox()->add( 10 - $order_id );
			$this->advance( 1 );
		}
		$this->advance( 60 );
		$this->assertSame( array( 9, 8 ), $this->claimed( OutboxRow::WAITING, 2 ) );
		$this->assertSame( array( 7, 6, 5 ), $this->claimed( OutboxRow::WAITING, 10 ) );
		$this->assertSame( array(), $this->claimed() );
	}

	public function test_a_match_requested_during_a_send_is_not_lost(): void {
		$this->outbox()->add( 7 );
		$this->advance( 30 );
		$row = $this->outbox()->claim( OutboxRow::WAITING, 10, 120 )[0];
		$this->outbox()->request_match( 7 );
		$this->assertFalse( $this->outbox()->record( $row, array( 'state' => OutboxRow::DONE, 'rerun' => 0 ) ) );
		$again = $this->row( 7 );
		$this->assertSame( array( OutboxRow::WAITING, true, '' ), array( $again->state, $again->rerun, $again->claim_token ) );
		$this->assertSame( array( 7 ), $this->claimed() );
	}

	public function test_a_requested_poll_is_due_at_once(): void {
		$this->outbox()->add( 7 );
		$this->outbox()->request_poll( 7 );
		$this->assertSame( OutboxRow::WAITING, $this->row( 7 )->state, 'it has not left the shop: it is sent' );
		$this->advance( 30 );
		$this->outbox()->record( $this->outbox()->claim( OutboxRow::WAITING, 1, 120 )[0], array( 'state' => OutboxRow::DONE ) );
		$this->outbox()->request_poll( 7 );
		$this->assertSame( array( 7 ), $this->claimed( OutboxRow::SENT ) );
		$this->outbox()->request_poll( 8 );
		$this->assertSame( array( 8 ), $this->claimed( OutboxRow::SENT ) );
	}

	public function test_an_order_that_was_closed_unsent_is_sent_when_it_is_added_again(): void {
		$this->outbox()->add( 7 );
		$this->advance( 30 );
		$this->outbox()->record( $this->outbox()->claim( OutboxRow::WAITING, 1, 120 )[0], array( 'state' => OutboxRow::CLOSED, 'reason' => 'cancelled' ) );
		$this->assertSame( array( 7, 8 ), $this->outbox()->without_row( array( 7, 8 ) ) );
		$this->outbox()->add( 7 );
		$row = $this->row( 7 );
		$this->assertSame( array( OutboxRow::WAITING, '', $this->clock->now + 30 ), array( $row->state, $row->reason, $row->due_at ) );
		$this->assertSame( array( 8 ), $this->outbox()->without_row( array( 7, 8 ) ) );
	}

	public function test_next_due_and_depth_count_the_waiting_rows(): void {
		$this->assertNull( $this->outbox()->next_due() );
		$this->outbox()->add( 7 );
		$this->assertSame( $this->clock->now + 30, $this->outbox()->next_due() );
		$this->advance( 30 );
		$this->outbox()->claim( OutboxRow::WAITING, 1, 120 );
		$this->assertSame( $this->clock->now + 121, $this->outbox()->next_due() );
		$this->assertSame( array( 'waiting' => array( 'count' => 1, 'oldest' => $this->clock->now - 30 ) ), $this->outbox()->depth() );
		$this->assertSame( array( 7 ), array_map( static fn( $row ) => $row->order_id, $this->outbox()->unsent( 10 ) ) );
	}
}
