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

	public function test_an_order_has_one_row_however_often_it_is_noted(): void {
		$this->outbox()->add( 7 );
		$first = $this->row( 7 );
		$this->pass( 100 );
		$this->outbox()->add( 7 );
		$this->assertEquals( $first, $this->row( 7 ) );
		$this->assertSame( $first->created_at + 30, $first->due_at );
	}

	public function test_nothing_is_due_before_thirty_seconds(): void {
		$this->outbox()->add( 7 );
		$this->pass( 29 );
		$this->assertSame( array(), $this->claimed() );
		$this->pass( 1 );
		$this->assertSame( array( 7 ), $this->claimed() );
	}

	public function test_a_claimed_row_is_nobody_elses_until_the_claim_ends(): void {
		$this->outbox()->add( 7 );
		$this->pass( 30 );
		$row = $this->outbox()->claim( OutboxRow::WAITING, 10, 120 )[0];
		$this->assertSame( array(), $this->claimed() );
		$this->assertNull( $this->outbox()->claim_one( 7, 120 ) );
		$this->pass( 121 );
		$this->assertSame( array( 7 ), $this->claimed() );
		// the first one is too late now
		$this->assertFalse( $this->outbox()->record( $row, array( 'state' => OutboxRow::DONE ) ) );
		$this->assertSame( OutboxRow::WAITING, $this->row( 7 )->state );
		$this->assertNotSame( '', $this->row( 7 )->claim_token );
	}

	public function test_claims_are_disjoint_and_oldest_first(): void {
		foreach ( range( 1, 5 ) as $order_id ) {
			$this->outbox()->add( 10 - $order_id );
			$this->pass( 1 );
		}
		$this->pass( 60 );
		$this->assertSame( array( 9, 8 ), $this->claimed( OutboxRow::WAITING, 2 ) );
		$this->assertSame( array( 7, 6, 5 ), $this->claimed( OutboxRow::WAITING, 10 ) );
		$this->assertSame( array(), $this->claimed() );
	}

	public function test_asking_again_in_mid_send_is_not_lost(): void {
		$this->outbox()->add( 7 );
		$this->pass( 30 );
		$row = $this->outbox()->claim( OutboxRow::WAITING, 10, 120 )[0];
		$this->outbox()->request_match( 7 );
		$this->assertFalse( $this->outbox()->record( $row, array( 'state' => OutboxRow::DONE, 'rerun' => 0 ) ) );
		$again = $this->row( 7 );
		$this->assertSame( array( OutboxRow::WAITING, true, '' ), array( $again->state, $again->rerun, $again->claim_token ) );
		$this->assertSame( array( 7 ), $this->claimed() );
	}

	public function test_news_of_the_service_makes_a_row_due_at_once(): void {
		$this->outbox()->add( 7 );
		$this->outbox()->request_poll( 7 );
		$this->assertSame( OutboxRow::WAITING, $this->row( 7 )->state, 'it has not left the shop: it is sent' );
		$this->pass( 30 );
		$this->outbox()->record( $this->outbox()->claim( OutboxRow::WAITING, 1, 120 )[0], array( 'state' => OutboxRow::DONE ) );
		$this->outbox()->request_poll( 7 );
		$this->assertSame( array( 7 ), $this->claimed( OutboxRow::SENT ) );
		$this->outbox()->request_poll( 8 );
		$this->assertSame( array( 8 ), $this->claimed( OutboxRow::SENT ) );
	}

	public function test_an_order_that_was_closed_unsent_and_is_back_is_sent(): void {
		$this->outbox()->add( 7 );
		$this->pass( 30 );
		$this->outbox()->record( $this->outbox()->claim( OutboxRow::WAITING, 1, 120 )[0], array( 'state' => OutboxRow::CLOSED, 'reason' => 'cancelled' ) );
		$this->assertSame( array( 7, 8 ), $this->outbox()->without_row( array( 7, 8 ) ) );
		$this->outbox()->add( 7 );
		$row = $this->row( 7 );
		$this->assertSame( array( OutboxRow::WAITING, '', $this->clock->now + 30 ), array( $row->state, $row->reason, $row->due_at ) );
		$this->assertSame( array( 8 ), $this->outbox()->without_row( array( 7, 8 ) ) );
	}

	public function test_says_when_the_next_row_is_due_and_how_deep_it_is(): void {
		$this->assertNull( $this->outbox()->next_due() );
		$this->outbox()->add( 7 );
		$this->assertSame( $this->clock->now + 30, $this->outbox()->next_due() );
		$this->pass( 30 );
		$this->outbox()->claim( OutboxRow::WAITING, 1, 120 );
		$this->assertSame( $this->clock->now + 121, $this->outbox()->next_due() );
		$this->assertSame( array( 'waiting' => array( 'count' => 1, 'oldest' => $this->clock->now - 30 ) ), $this->outbox()->depth() );
		$this->assertSame( array( 7 ), array_map( static fn( $row ) => $row->order_id, $this->outbox()->unsent( 10 ) ) );
	}
}
