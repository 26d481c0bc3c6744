<?php
/**
 * Something that waits for the merchant.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Health;

/**
 * One alert, however many orders wait because of it: a person for duplicates and taken links, the account for settings, credentials and
 * products. Holds ids and codes, no names and no email addresses.
 */
final class Alert {

	/** Account alerts: what is to be done stands in AlertTexts by code; `text` is what the service said. */
	public const REFUSED          = 'refused';
	public const ACCOUNT_PROBLEM  = 'account_problem';
	public const DEFAULT_CUSTOMER = 'default_customer';
	public const PRODUCTS         = 'products';
	public const COPY             = 'copy';

	/** So many orders are named; the others are only counted by the service. */
	public const ORDERS_KEPT = 50;

	/**
	 * @param int[] $order_ids    Orders that wait, oldest first.
	 * @param int[] $dismissed_by Users who do not want to see the notice again.
	 */
	public function __construct(
		/** What tells alerts apart: "user:12", "guest:" and a hash, or an account's code. */
		public readonly string $key,
		/** An outcome such as "OUTCOME_DUPLICATE_EMAIL", or one of the constants. */
		public readonly string $code,
		/** What the service said, in English; empty: nothing. */
		public readonly string $text = '',
		/** The shop customer; 0: a guest, or the account. */
		public readonly int $user_id = 0,
		public readonly array $order_ids = array(),
		/** Unix seconds. */
		public readonly int $since = 0,
		/** When a mail told of it; 0: not yet. */
		public readonly int $mailed_at = 0,
		public readonly array $dismissed_by = array(),
		/** Of an account's problem: a code of CheckTexts; empty: none that is certain. */
		public readonly string $reason = ''
	) {}

	public function is_of_person(): bool {
		return 0 === strncmp( $this->key, 'user:', 5 ) || 0 === strncmp( $this->key, 'guest:', 6 );
	}

	/** @param array<string, mixed> $changes Properties with new values. */
	public function with( array $changes ): self {
		return new self( ...array_merge( get_object_vars( $this ), $changes ) );
	}

	/** @return array<string, mixed> */
	public function to_stored(): array {
		return get_object_vars( $this );
	}

	/**
	 * From what is stored; null when that is none.
	 *
	 * @param mixed $stored An option's value.
	 */
	public static function from_stored( $stored ): ?self {
		if ( ! is_array( $stored ) || ! is_string( $stored['key'] ?? null ) || ! is_string( $stored['code'] ?? null ) ) {
			return null;
		}
		return new self(
			$stored['key'],
			$stored['code'],
			is_string( $stored['text'] ?? null ) ? $stored['text'] : '',
			(int) ( $stored['user_id'] ?? 0 ),
			array_map( 'intval', array_values( (array) ( $stored['order_ids'] ?? array() ) ) ),
			(int) ( $stored['since'] ?? 0 ),
			(int) ( $stored['mailed_at'] ?? 0 ),
			array_map( 'intval', array_values( (array) ( $stored['dismissed_by'] ?? array() ) ) ),
			is_string( $stored['reason'] ?? null ) ? $stored['reason'] : ''
		);
	}
}
