<?php
/**
 * The intake of events.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Events;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\DatabaseError;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Orders\DrainTimer;
use Tillsync\Bridge\Orders\Outbox;
use Tillsync\Bridge\Rest\InvalidField;
use Tillsync\Bridge\SafeCall;

/**
 * Stores events from the service. An event makes its order due, and then its answer is stored. The order is made due before the sequence is
 * stored, so after a crash in between the service sends the event again. The answer is stored after the sequence, so an error in a hook of
 * another plugin does not stop the events behind it.
 */
class EventIntake {

	public function __construct(
		private readonly EventTable $event_table,
		private readonly HeldCount $held_count,
		private readonly AnswerIntake $answer_intake,
		private readonly DrainTimer $drain_timer,
		private readonly Outbox $outbox,
		private readonly Clock $clock,
		private readonly Log $log
	) {}

	/**
	 * @param array<int, mixed> $raw      The decoded events.
	 * @param float             $deadline Monotonic seconds. Events not begun by then get `not_done`.
	 * @return array<int, array<string, mixed>> Results by position.
	 * @throws DatabaseError
	 */
	public function store( array $raw, float $deadline ): array {
		$results = array();
		$events  = array();
		foreach ( $raw as $position => $one ) {
			$results[ $position ] = array( 'event_id' => is_array( $one ) ? $one['event_id'] ?? '' : '' );
			try {
				$events[ $position ] = Event::of( $one );
			} catch ( InvalidField $error ) {
				$results[ $position ] += array( 'status' => 'invalid', 'field' => $error->field );
			}
		}
		$held   = $this->event_table->sequences( array_map( static fn( Event $event ) => $event->subject, $events ) );
		$newest = array();
		foreach ( $events as $position => $event ) {
			$subject = strtolower( $event->subject );
			// invariant: older-events-change-nothing
			$sequence = $held[ $subject ] ?? 0;
			if ( $event->sequence === $sequence ) {
				$results[ $position ] += array( 'status' => 'unchanged' );
			} elseif ( $event->sequence < $sequence ) {
				$results[ $position ] += array( 'status' => 'stale', 'version' => (string) $sequence );
			} elseif ( $this->clock->monotonic() >= $deadline ) {
				$results[ $position ] += array( 'status' => 'not_done' );
			} else {
				$this->make_order_due( $event );
				$held[ $subject ]      = $event->sequence;
				$newest[ $subject ]    = $event;
				$results[ $position ] += array( 'status' => 'updated' );
			}
		}
		$this->event_table->store( array_values( $newest ) );
		if ( array() !== $newest ) {
			$this->held_count->store( $newest[ array_key_last( $newest ) ]->held_count );
			$this->after( array_values( $newest ) );
		}
		return $results;
	}

	/** @throws DatabaseError */
	private function make_order_due( Event $event ): void {
		$order_id = $event->order_id();
		// invariant: events-make-their-order-due
		if ( null !== $order_id && ! $this->outbox->request_poll( $order_id ) ) {
			throw new DatabaseError( 'outbox' );
		}
	}

	/** @param Event[] $events The newest event of each subject. */
	private function after( array $events ): void {
		SafeCall::run(
			$this->log,
			'answers of events',
			function () use ( $events ): void {
				if ( $this->answer_intake->store( $events ) ) {
					$this->drain_timer->start();
				}
			}
		);
		SafeCall::run(
			$this->log,
			'tillsync_events_taken',
			static function () use ( $events ): void {
				/**
				 * Fires after the service has reported orders that finished, wait for a person, or no longer wait. Their answers are stored
				 * before, or the drain fetches them (`tillsync_order_answered`).
				 *
				 * @param array<int, array{order_id: int|null, type: string, state: string, outcome: string, held_count: int}> $events The
				 * newest event of each order.
				 */
				do_action(
					'tillsync_events_taken',
					array_map(
						static fn( Event $event ) => array( 'order_id' => $event->order_id(), 'type' => $event->type, 'state' => $event->state, 'outcome' => $event->outcome, 'held_count' => $event->held_count ),
						$events
					)
				);
			}
		);
	}
}
