<?php
/**
 * An event of the service.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Events;

use Tillsync\Bridge\Orders\Answer;
use Tillsync\Bridge\Rest\InvalidField;
use Tillsync\Bridge\Rest\WireFields;

/** Carries codes, and the answer of the order without its notes, because a note may name a person. The drain fetches the notes. */
final class Event {

	public const ORDER_FINISHED  = 'order.finished';
	public const DECISION_NEEDED = 'decision.needed';
	public const DECISION_CLOSED = 'decision.closed';

	/** Prefixes of the contract's codes. An event carries the codes without them. */
	private const STATE   = 'ENTRY_STATE_';
	private const OUTCOME = 'OUTCOME_';

	private const TYPES = array( self::ORDER_FINISHED, self::DECISION_NEEDED, self::DECISION_CLOSED );

	private function __construct(
		public readonly string $event_id,
		/** Subject, such as "order:1042". */
		public readonly string $subject,
		/** Rises with each event of a subject and is never reset. */
		public readonly int $sequence,
		public readonly string $type,
		public readonly string $entry_id,
		public readonly string $state,
		public readonly string $outcome,
		/** Number of the account's orders that wait for a person. */
		public readonly int $held_count,
		/** The order's answer. Null: the order runs again, or the service did not send it. */
		public readonly ?Answer $answer,
		/** Number of the answer's notes, which the event does not carry. */
		public readonly int $note_count
	) {}

	/**
	 * @param mixed $raw The decoded event.
	 * @throws InvalidField
	 */
	public static function of( $raw ): self {
		$fields = WireFields::of( $raw, 'event_id' );
		$type = $fields->text( 'type' );
		if ( ! in_array( $type, self::TYPES, true ) ) {
			throw new InvalidField( 'type' );
		}
		$held_count = $fields->integer( 'held_count', 0 );
		$event_id   = $fields->matching( 'event_id', '/^[\x21-\x7e]{1,64}$/D' );
		$subject    = $fields->matching( 'subject', '/^[\x21-\x7e]{1,100}$/D' );
		$sequence   = $fields->int64( 'sequence' );
		$entry_id   = $fields->matching( 'entry_id', '/^[\x21-\x7e]{0,64}$/D' );
		$state      = $fields->matching( 'state', '/^[A-Za-z_]{0,40}$/D' );
		$outcome    = $fields->matching( 'outcome', '/^[A-Za-z_]{0,60}$/D' );
		$answer     = null;
		$note_count = 0;
		if ( $fields->has( 'answer' ) ) {
			try {
				$parts      = $fields->object( 'answer' );
				$answer     = self::read_answer( $parts, $entry_id, $state, $outcome );
				$note_count = $parts->integer( 'note_count', 0 );
			} catch ( InvalidField $error ) {
				// The service then sends the event without its answer.
				throw new InvalidField( 'answer' );
			}
		}
		return new self( $event_id, $subject, $sequence, $type, $entry_id, $state, $outcome, $held_count, $answer, $note_count );
	}

	/** @throws InvalidField */
	private static function read_answer( WireFields $parts, string $entry_id, string $state, string $outcome ): Answer {
		$causes = array_map( static fn( string $cause ) => self::OUTCOME . $cause, $parts->texts( 'causes' ) );
		return new Answer( $entry_id, self::STATE . $state, self::OUTCOME . $outcome, $parts->text( 'comment' ), array(), $causes, $parts->matching( 'epos_customer_id', '/^[0-9]{1,19}$/D' ) );
	}

	/** Returns the id of the event's order, or null for another subject. */
	public function order_id(): ?int {
		return preg_match( '/^order:([1-9][0-9]{0,17})$/D', $this->subject, $found ) ? (int) $found[1] : null;
	}
}
