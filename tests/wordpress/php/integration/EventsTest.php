<?php
declare( strict_types=1 );

namespace Tillsync\Tests;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\DatabaseError;
use Tillsync\Bridge\Events\EventIntake;
use Tillsync\Bridge\Events\HeldCount;
use Tillsync\Bridge\Orders\Answers;
use Tillsync\Bridge\Orders\Outbox;
use Tillsync\Bridge\Orders\OutboxRow;
use Tillsync\Bridge\Orders\SilentQueries;
use Tillsync\Bridge\Schedule;
use Tillsync\Bridge\Schema\Tables;
use Tillsync\Bridge\Services;

/** Covers events behind the signature check: only newer events are stored, and their orders become due. */
final class EventsTest extends SiteTestCase {

	private Services $services;

	protected function setUp(): void {
		parent::setUp();
		$this->services = new Services();
	}

	/**
	 * @param array<string, mixed> $more
	 * @return array<string, mixed>
	 */
	private static function event( string $subject, string $sequence, array $more = array() ): array {
		return $more + array( 'event_id' => "{$subject}-{$sequence}", 'subject' => $subject, 'sequence' => $sequence, 'type' => 'order.finished', 'entry_id' => 'entry', 'state' => 'PROCESSED', 'outcome' => 'MATCHED_EMAIL', 'held_count' => 3 );
	}

	/**
	 * @param mixed ...$events
	 * @return array<int, array<string, mixed>>
	 */
	private function store_events( ...$events ): array {
		return $this->services->get( EventIntake::class )->store( $events, INF );
	}

	public function test_only_newer_events_are_stored_and_a_repeated_event_is_unchanged(): void {
		$this->assertSame( array( array( 'event_id' => 'order:1042-7', 'status' => 'updated' ) ), $this->store_events( self::event( 'order:1042', '7' ) ) );
		$this->assertSame( array( array( 'event_id' => 'order:1042-7', 'status' => 'unchanged' ) ), $this->store_events( self::event( 'order:1042', '7' ) ) );
		$this->assertSame( array( array( 'event_id' => 'order:1042-6', 'status' => 'stale', 'version' => '7' ) ), $this->store_events( self::event( 'order:1042', '6' ) ) );
		$this->assertSame( array( 'updated', 'stale', 'updated', 'unchanged', 'updated' ), array_column( $this->store_events( self::event( 'order:1042', '8' ), self::event( 'order:1042', '5' ), self::event( 'order:1', '1' ), self::event( 'order:1042', '8' ), self::event( 'order:1042', '9' ) ), 'status' ) );
	}

	/** @group catches:events-make-their-order-due */
	public function test_an_event_makes_its_order_due(): void {
		$outbox = $this->services->get( Outbox::class );
		$order  = $this->order( 'completed' );
		$outbox->add( $order->get_id() );
		$row = $outbox->claim( OutboxRow::WAITING, 10, 60 );
		$outbox->add( 5 );
		$this->store_events( self::event( 'order:5', '1' ), self::event( 'order:6', '1', array( 'type' => 'decision.needed', 'held_count' => 4 ) ) );
		$this->assertSame( OutboxRow::WAITING, $outbox->find( 5 )->state, 'what still waits is sent anyway' );
		$this->assertSame( OutboxRow::SENT, $outbox->find( 6 )->state );
		$this->assertLessThanOrEqual( time(), $outbox->find( 6 )->due_at );
		$this->assertSame( 4, $this->services->get( HeldCount::class )->get() );
		$this->assertNotNull( $row );
	}

	/**
	 * @param array<string, mixed> $more
	 * @return array<string, mixed>
	 */
	private static function answer( array $more = array() ): array {
		return $more + array( 'comment' => 'Matched by email', 'causes' => array(), 'epos_customer_id' => '501', 'note_count' => 0 );
	}

	private function sent_order(): int {
		$order = $this->order( 'completed' )->get_id();
		$this->services->get( Outbox::class )->request_poll( $order );
		return $order;
	}

	public function test_an_answer_of_an_event_is_stored_at_once(): void {
		$order = $this->sent_order();
		$calls = $this->calls_of( 'tillsync_order_answered' );
		$this->store_events( self::event( "order:{$order}", '1', array( 'answer' => self::answer( array( 'causes' => array( 'MATCHED_LINK' ) ) ) ) ) );
		$stored = $this->services->get( Answers::class )->of( wc_get_order( $order ) );
		$this->assertSame( array( 'ENTRY_STATE_PROCESSED', 'OUTCOME_MATCHED_EMAIL', 'Matched by email', array( 'OUTCOME_MATCHED_LINK' ), '501', 'entry' ), array( $stored->state, $stored->outcome, $stored->comment, $stored->causes, $stored->epos_customer_id, $stored->entry_id ) );
		$this->assertSame( OutboxRow::DONE, $this->services->get( Outbox::class )->find( $order )->state );
		$this->assertCount( 1, $calls );
	}

	public function test_notes_of_a_matched_order_are_fetched_after_its_answer(): void {
		$order = $this->sent_order();
		$this->store_events( self::event( "order:{$order}", '1', array( 'answer' => self::answer( array( 'note_count' => 1 ) ) ) ) );
		$this->assertSame( '501', $this->services->get( Answers::class )->of( wc_get_order( $order ) )->epos_customer_id );
		$row = $this->services->get( Outbox::class )->find( $order );
		$this->assertSame( array( OutboxRow::SENT, '', 'entry' ), array( $row->state, $row->claim_token, $row->entry_id ) );
		$this->assertLessThanOrEqual( time(), $row->due_at );
		$this->assertNotFalse( wp_next_scheduled( Schedule::DUE ) );
	}

	public function test_answers_that_an_event_may_not_store_are_fetched(): void {
		$outbox  = $this->services->get( Outbox::class );
		$held    = $this->sent_order();
		$waiting = $this->order( 'completed' )->get_id();
		$claimed = $this->sent_order();
		$outbox->add( $waiting );
		$outbox->claim_one( $claimed, 60 );
		$answer = array( 'answer' => self::answer() );
		$this->store_events(
			self::event( "order:{$held}", '1', array( 'type' => 'decision.needed', 'state' => 'HELD', 'outcome' => 'DUPLICATE_EMAIL', 'answer' => self::answer( array( 'note_count' => 2 ) ) ) ),
			self::event( "order:{$waiting}", '1', $answer ),
			self::event( "order:{$claimed}", '1', $answer )
		);
		foreach ( array( $held, $waiting, $claimed ) as $order ) {
			$this->assertNull( $this->services->get( Answers::class )->of( wc_get_order( $order ) ) );
		}
		$this->assertSame( array( OutboxRow::SENT, OutboxRow::WAITING, OutboxRow::SENT ), array( $outbox->find( $held )->state, $outbox->find( $waiting )->state, $outbox->find( $claimed )->state ) );
		$this->assertSame( '', $outbox->find( $waiting )->claim_token );
	}

	public function test_an_answer_of_a_former_entry_is_not_stored(): void {
		$outbox = $this->services->get( Outbox::class );
		$order  = $this->sent_order();
		$outbox->record( $outbox->claim_one( $order, 60 ), array( 'entry_id' => '019ac000-0000-7000-8000-000000000002' ) );
		$event = array( 'entry_id' => '019ac000-0000-7000-8000-000000000001', 'answer' => self::answer() );
		$this->store_events( self::event( "order:{$order}", '1', $event ) );
		$this->assertNull( $this->services->get( Answers::class )->of( wc_get_order( $order ) ) );
		$row = $outbox->find( $order );
		$this->assertSame( array( OutboxRow::SENT, '' ), array( $row->state, $row->claim_token ) );
		$this->assertLessThanOrEqual( time(), $row->due_at );
		$this->store_events( self::event( "order:{$order}", '2', array( 'entry_id' => $row->entry_id ) + $event ) );
		$this->assertSame( '501', $this->services->get( Answers::class )->of( wc_get_order( $order ) )->epos_customer_id );
	}

	public function test_an_error_in_a_hook_of_another_plugin_stops_no_event(): void {
		$orders = array( $this->sent_order(), $this->sent_order() );
		add_action(
			'tillsync_order_answered',
			static function () {
				throw new \RuntimeException( 'another plugin' );
			}
		);
		$results = $this->store_events( ...array_map( static fn( int $order ) => self::event( "order:{$order}", '1', array( 'answer' => self::answer() ) ), $orders ) );
		$this->assertSame( array( 'updated', 'updated' ), array_column( $results, 'status' ) );
		foreach ( $orders as $order ) {
			$this->assertSame( '501', $this->services->get( Answers::class )->of( wc_get_order( $order ) )->epos_customer_id );
		}
	}

	public function test_an_unreadable_answer_is_named_as_a_whole(): void {
		foreach ( array( 'text', self::answer( array( 'causes' => 'one' ) ), self::answer( array( 'epos_customer_id' => 501 ) ), self::answer( array( 'note_count' => -1 ) ) ) as $answer ) {
			$result = $this->store_events( self::event( 'order:6', '1', array( 'answer' => $answer ) ) )[0];
			$this->assertSame( array( 'invalid', 'answer' ), array( $result['status'], $result['field'] ) );
		}
	}

	/** @group catches:older-events-change-nothing */
	public function test_an_older_event_changes_no_row(): void {
		$this->store_events( self::event( 'order:6', '9' ) );
		$before = $this->services->get( Outbox::class )->find( 6 );
		$this->store_events( self::event( 'order:6', '8', array( 'held_count' => 99 ) ), self::event( 'order:6', '9', array( 'held_count' => 99 ) ) );
		$this->assertEquals( $before, $this->services->get( Outbox::class )->find( 6 ) );
		$this->assertSame( 3, $this->services->get( HeldCount::class )->get() );
	}

	public function test_bad_events_are_named_and_the_others_are_stored(): void {
		foreach ( array( 'event_id' => 5, 'subject' => '', 'sequence' => 7, 'type' => 'order.lost', 'held_count' => -1, 'state' => null, 'outcome' => 4, 'entry_id' => 4 ) as $field => $value ) {
			$results = $this->store_events( array( $field => $value ) + self::event( 'order:6', '1' ), self::event( 'order:7', '1' ) );
			$this->assertSame( array( 'invalid', $field ), array( $results[0]['status'], $results[0]['field'] ) );
			$this->assertContains( $results[1]['status'], array( 'updated', 'unchanged' ) );
		}
		$this->assertSame( array( 'event_id' => '', 'status' => 'invalid', 'field' => 'event_id' ), $this->store_events( 'nonsense' )[0] );
		$this->assertNull( $this->services->get( Outbox::class )->find( 6 ) );
		$this->assertSame( 'updated', $this->store_events( self::event( 'order:6', '1', array( 'extra' => array( 'of' => 'a newer service' ) ) ) )[0]['status'] );
		$this->assertNotNull( $this->services->get( Outbox::class )->find( 6 ) );
	}

	public function test_events_of_other_subjects_are_stored_and_change_no_order(): void {
		$this->assertSame( 'updated', $this->store_events( self::event( 'customer:6', '1' ) )[0]['status'] );
		$this->assertSame( 'unchanged', $this->store_events( self::event( 'customer:6', '1' ) )[0]['status'] );
		$this->assertNull( $this->services->get( Outbox::class )->find( 6 ) );
	}

	public function test_events_that_are_not_begun_in_time_are_not_done(): void {
		$clock = new class() extends Clock {
			public function monotonic(): float {
				return 20.0;
			}
		};
		$this->services->set( Clock::class, $clock );
		$results = $this->services->get( EventIntake::class )->store( array( self::event( 'order:6', '1' ) ), 10.0 );
		$this->assertSame( 'not_done', $results[0]['status'] );
		$this->assertNull( $this->services->get( Outbox::class )->find( 6 ) );
	}

	public function test_an_event_is_not_stored_when_its_order_cannot_be_made_due(): void {
		$this->services->set( Outbox::class, new class( $GLOBALS['wpdb'], $this->services->get( SilentQueries::class ), $this->services->get( Tables::class ), $this->services->get( Clock::class ) ) extends Outbox {
			public function request_poll( int $order_id ): bool {
				return false;
			}
		} );
		try {
			$this->store_events( self::event( 'order:6', '1' ) );
			$this->fail( 'taken' );
		} catch ( DatabaseError $error ) {
			$this->services->set( Outbox::class, ( new Services() )->get( Outbox::class ) );
			$this->assertSame( 'updated', $this->store_events( self::event( 'order:6', '1' ) )[0]['status'] );
		}
	}

	public function test_an_action_fires_for_new_events(): void {
		$calls = $this->calls_of( 'tillsync_events_taken' );
		$this->store_events( self::event( 'order:6', '1' ), self::event( 'order:6', '2', array( 'type' => 'decision.closed' ) ) );
		$this->store_events( self::event( 'order:6', '1' ) );
		$this->assertCount( 1, $calls );
		$this->assertSame( array( array( 'order_id' => 6, 'type' => 'decision.closed', 'state' => 'PROCESSED', 'outcome' => 'MATCHED_EMAIL', 'held_count' => 3 ) ), $calls[0][0] );
	}
}
