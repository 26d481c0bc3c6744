<?php
/**
 * Statements that may fail within a checkout.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Tillsync\Bridge\Services;

// phpcs:disable WordPress.DB.PreparedSQL, WordPress.DB.DirectDatabaseQuery -- our own table; every value is prepared.

/** One try, no exception, nothing printed, nothing written in its stead: the caller sees that it failed, and the shopper nothing. */
class QuietStatements {

	private Services $services;

	public function __construct( Services $services ) {
		$this->services = $services;
	}

	/**
	 * Errors are suppressed: wpdb would print them into the page, and so into a checkout's JSON.
	 *
	 * @param array<int, int|string> $values For the placeholders.
	 * @return int Rows changed; -1: failed.
	 */
	public function changed( string $sql, array $values ): int {
		$database   = $this->services->database();
		$suppressed = $database->suppress_errors( true );
		try {
			$changed = $database->query( $database->prepare( $sql, $values ) );
		} finally {
			$database->suppress_errors( $suppressed );
		}
		return false === $changed ? -1 : (int) $changed;
	}

	/**
	 * @param array<int, int|string> $values For the placeholders.
	 * @return array<int, array<string, mixed>>|null Null: failed.
	 */
	public function rows( string $sql, array $values ): ?array {
		$database   = $this->services->database();
		$suppressed = $database->suppress_errors( true );
		try {
			$rows = $database->get_results( $database->prepare( $sql, $values ), ARRAY_A );
			return '' !== $database->last_error || ! is_array( $rows ) ? null : $rows;
		} finally {
			$database->suppress_errors( $suppressed );
		}
	}
}
