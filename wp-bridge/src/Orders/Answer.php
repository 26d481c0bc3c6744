<?php
/**
 * The service's answer about an order.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

/**
 * One answer, from any of the calls. Codes and texts come from the service unchanged. The plugin uses them only to decide when to poll
 * again.
 */
final class Answer {

	public const PENDING   = 'ENTRY_STATE_PENDING';
	public const HELD      = 'ENTRY_STATE_HELD';
	public const PROCESSED = 'ENTRY_STATE_PROCESSED';
	public const FAILED    = 'ENTRY_STATE_FAILED';

	/**
	 * @param string[] $notes  Further lines.
	 * @param string[] $causes Further outcome codes under a headline.
	 */
	public function __construct(
		public readonly string $entry_id,
		public readonly string $state,
		public readonly string $outcome,
		public readonly string $comment,
		public readonly array $notes,
		public readonly array $causes,
		/** Id of the till customer; "0" for none so far. It is a text, as int64 is in JSON. */
		public readonly string $epos_customer_id
	) {}

	/**
	 * Reads a MatchOrderCustomerResponse or an OrderMatch. Returns null for any other message.
	 *
	 * @param array<string, mixed> $message The message.
	 */
	public static function of( array $message ): ?self {
		$entry = is_array( $message['entry'] ?? null ) ? $message['entry'] : $message;
		$state = self::text( $entry, 'state' );
		if ( 0 !== strpos( $state, 'ENTRY_STATE_' ) ) {
			return null;
		}
		return new self(
			self::text( $entry, 'entryId' ),
			$state,
			self::text( $message, 'outcome' ),
			self::text( $message, 'comment' ),
			self::texts( $message['notes'] ?? null ),
			self::texts( $entry['causes'] ?? null ),
			preg_match( '/^\d{1,19}$/D', self::text( $message, 'eposCustomerId' ) ) ? self::text( $message, 'eposCustomerId' ) : '0'
		);
	}

	/**
	 * Reads an answer from order meta.
	 *
	 * @param array<string, mixed> $stored Result of to_stored().
	 */
	public static function from_stored( array $stored ): self {
		return new self(
			self::text( $stored, 'entry_id' ),
			self::text( $stored, 'state' ),
			self::text( $stored, 'outcome' ),
			self::text( $stored, 'comment' ),
			self::texts( $stored['notes'] ?? null ),
			self::texts( $stored['causes'] ?? null ),
			self::text( $stored, 'epos_customer_id' )
		);
	}

	/** @return array<string, mixed> */
	public function to_stored(): array {
		return get_object_vars( $this );
	}

	/** Tells whether the answer is final, so that the service changes it no more without a new request. */
	public function is_final(): bool {
		return self::PENDING !== $this->state && self::HELD !== $this->state;
	}

	/** Tells whether both answers read the same to a person. Another entry id, or another order of the notes, makes no difference. */
	public function reads_like( ?self $other ): bool {
		return null !== $other && array( $this->state, $this->outcome, $this->comment, $this->epos_customer_id )
			=== array( $other->state, $other->outcome, $other->comment, $other->epos_customer_id );
	}

	/** @param array<string, mixed> $message The message. */
	private static function text( array $message, string $name ): string {
		$value = $message[ $name ] ?? '';
		return is_scalar( $value ) ? (string) $value : '';
	}

	/**
	 * @param mixed $values A list of texts; other values are dropped.
	 * @return string[]
	 */
	private static function texts( $values ): array {
		return is_array( $values ) ? array_values( array_filter( $values, 'is_string' ) ) : array();
	}
}
