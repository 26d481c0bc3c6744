<?php
/**
 * An event of the service.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Events;

use Tillsync\Bridge\Rest\InvalidField;
use Tillsync\Bridge\Rest\WireFields;

/** Carries codes and no texts. The drain fetches the answer of the order. */
final class Event {

	public const ORDER_FINISHED  = 'order.finished';
	public const DECISION_NEEDED = 'decision.needed';
	public const DECISION_CLOSED = 'decision.closed';

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
		public readonly int $held_count
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
		return new self(
			$fields->matching( 'event_id', '/^[\x21-\x7e]{1,64}$/D' ),
			$fields->matching( 'subject', '/^[\x21-\x7e]{1,100}$/D' ),
			$fields->int64( 'sequence' ),
			$type,
			$fields->matching( 'entry_id', '/^[\x21-\x7e]{0,64}$/D' ),
			$fields->matching( 'state', '/^[A-Za-z_]{0,40}$/D' ),
			$fields->matching( 'outcome', '/^[A-Za-z_]{0,60}$/D' ),
			$held_count
		);
	}

	/** Returns the id of the event's order, or null for another subject. */
	public function order_id(): ?int {
		return preg_match( '/^order:([1-9][0-9]{0,17})$/D', $this->subject, $found ) ? (int) $found[1] : null;
	}
}
