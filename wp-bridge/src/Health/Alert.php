<?php
/**
 * An alert for the merchant.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Health;

/**
 * One alert covers all orders that wait for the same reason. A person has one for duplicates and taken links; the account has one for
 * settings, credentials or products. It holds ids and codes, no names and no email addresses.
 */
final class Alert {

	/** Codes of account alerts. AlertTexts has their remedies by code, and `text` is the service's message. */
	public const REFUSED          = 'refused';
	public const ACCOUNT_PROBLEM  = 'account_problem';
	public const DEFAULT_CUSTOMER = 'default_customer';
	public const PRODUCTS         = 'products';
	public const COPY             = 'copy';
	public const REFUSED_ORDERS   = 'refused_orders';

	/** Maximum number of order ids. Further orders are only in the service's count. */
	public const ORDERS_KEPT = 50;

	/**
	 * @param int[] $order_ids    Waiting orders, oldest first.
	 * @param int[] $dismissed_by Users who have dismissed the notice.
	 */
	public function __construct(
		/** Unique key: "user:12", "guest:" and a hash, or an account alert's code. */
		public readonly string $key,
		/** An outcome such as "OUTCOME_DUPLICATE_EMAIL", or one of the constants. */
		public readonly string $code,
		/** The service's English message; may be empty. */
		public readonly string $text = '',
		/** Id of the shop customer; 0 for a guest or the account. */
		public readonly int $user_id = 0,
		public readonly array $order_ids = array(),
		/** Unix seconds at which the alert opened. */
		public readonly int $since = 0,
		/** Unix seconds of its mail; 0 before the mail. */
		public readonly int $mailed_at = 0,
		public readonly array $dismissed_by = array(),
		/** Code of CheckTexts for an account's problem; empty where no code is certain. */
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
	 * Reads a stored alert. Returns null when the value is no alert.
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
