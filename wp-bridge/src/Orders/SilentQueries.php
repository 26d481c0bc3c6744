<?php
/**
 * Statements that may fail within a checkout.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;


// phpcs:disable WordPress.DB.PreparedSQL, WordPress.DB.DirectDatabaseQuery -- the plugin's own table; every value is prepared.

/**
 * Runs a statement once. It throws nothing, prints nothing and writes no fallback. The caller gets the failure, and the shopper sees
 * nothing.
 */
class SilentQueries {

	public function __construct( private readonly \wpdb $wpdb ) {}

	/**
	 * Executes a write. It suppresses errors, because wpdb would print them into the page, and so into a checkout's JSON.
	 *
	 * @param array<int, int|string> $values Values of the placeholders.
	 * @return int Number of rows that changed; -1 after a failure.
	 */
	public function write( string $sql, array $values ): int {
		$suppressed = $this->wpdb->suppress_errors( true );
		try {
			$changed = $this->wpdb->query( $this->wpdb->prepare( $sql, $values ) );
		} finally {
			$this->wpdb->suppress_errors( $suppressed );
		}
		return false === $changed ? -1 : (int) $changed;
	}

	/**
	 * @param array<int, int|string> $values Values of the placeholders.
	 * @return array<int, array<string, mixed>>|null Null after a failure.
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
