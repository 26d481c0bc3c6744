<?php
/**
 * Statements that may fail within a checkout.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;


// phpcs:disable WordPress.DB.PreparedSQL, WordPress.DB.DirectDatabaseQuery -- our own table; every value is prepared.

/** One try, no exception, nothing printed, nothing written in its stead: the caller sees that it failed, and the shopper nothing. */
class SilentQueries {

	public function __construct( private readonly \wpdb $wpdb ) {}

	/**
	 * Errors are suppressed: wpdb would print them into the page, and so into a checkout's JSON.
	 *
	 * @param array<int, int|string> $values For the placeholders.
	 * @return int Rows changed; -1: failed.
	 */
	public function changed( string $sql, array $values ): int {
		$suppressed = $this->wpdb->suppress_errors( true );
		try {
			$changed = $this->wpdb->query( $this->wpdb->prepare( $sql, $values ) );
		} finally {
			$this->wpdb->suppress_errors( $suppressed );
		}
		return false === $changed ? -1 : (int) $changed;
	}

	/**
	 * @param array<int, int|string> $values For the placeholders.
	 * @return array<int, array<string, mixed>>|null Null: failed.
	 */
	public function rows( string $sql, array $values ): ?array {
		$suppressed = $this->wpdb->suppress_errors( true );
		try {
			$rows = $this->wpdb->get_results( $this->wpdb->prepare( $sql, $values ), ARRAY_A );
			return '' !== $this->wpdb->last_error || ! is_array( $rows ) ? null : $rows;
		} finally {
			$this->wpdb->suppress_errors( $suppressed );
		}
	}
}
