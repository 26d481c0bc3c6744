<?php
/**
 * Statements on the plugin's tables.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge;

use Tillsync\Bridge\Schema\Tables;

// phpcs:disable WordPress.DB.PreparedSQL, WordPress.DB.DirectDatabaseQuery -- the plugin's own tables; every value is prepared.

/**
 * Runs statements and throws DatabaseError when one fails. wpdb itself returns false or an empty list and prints the error into the page.
 * This class prints nothing, and a failure never looks like "no rows".
 */
class Database {

	private const TRIES = 4;

	/**
	 * Limits after limit_waiting(): seconds for one lock, and seconds in which tries may begin. Together they are about half of the
	 * service's 20 s.
	 */
	private const LOCK_SECONDS = 3;
	private const TOTAL_SECONDS  = 8.0;

	/** Error numbers of MySQL and MariaDB for a deadlock and for a lock wait timeout. */
	private const RETRIED_ERRORS = array( 1213, 1205 );

	/** Error numbers for a missing table and a missing column. 0 stands for another database driver, which gives no number. */
	private const MISSING_TABLE_ERRORS = array( 1146, 1054, 0 );

	/** Monotonic seconds. No further try begins after this time. */
	private float $until = INF;

	public function __construct(
		private readonly \wpdb $wpdb,
		private readonly Tables $tables,
		private readonly Clock $clock,
		private readonly Log $log
	) {}

	/**
	 * Limits lock waits and tries, because a caller waits for this request. MySQL waits 50 s for a lock by default. With the limit the
	 * caller gets an error in time and repeats the request.
	 */
	public function limit_waiting(): void {
		$this->until = $this->clock->monotonic() + self::TOTAL_SECONDS;
		if ( ( $this->wpdb->dbh ?? null ) instanceof \mysqli ) {
			$suppressed = $this->wpdb->suppress_errors( true );
			$this->wpdb->query( $this->wpdb->prepare( 'SET SESSION innodb_lock_wait_timeout = %d', self::LOCK_SECONDS ) );
			$this->wpdb->suppress_errors( $suppressed );
		}
	}

	/**
	 * @param array<int, int|string> $values Values of the placeholders.
	 * @return int Number of rows that changed.
	 * @throws DatabaseError
	 */
	public function write( string $sql, array $values = array() ): int {
		return $this->attempt(
			function ( \wpdb $database ) use ( $sql, $values ) {
				$changed = $database->query( array() === $values ? $sql : $database->prepare( $sql, $values ) );
				return false === $changed ? null : (int) $changed;
			}
		);
	}

	/**
	 * @param array<int, int|string> $values Values of the placeholders.
	 * @return array<int, array<string, string|null>>
	 * @throws DatabaseError
	 */
	public function rows( string $sql, array $values = array() ): array {
		return $this->attempt(
			static function ( \wpdb $database ) use ( $sql, $values ) {
				$rows = $database->get_results( array() === $values ? $sql : $database->prepare( $sql, $values ), ARRAY_A );
				return '' !== $database->last_error || ! is_array( $rows ) ? null : $rows;
			}
		);
	}

	/**
	 * Returns the first column of the first row, or null for no row or NULL.
	 *
	 * @param array<int, int|string> $values Values of the placeholders.
	 * @throws DatabaseError
	 */
	public function value( string $sql, array $values = array() ): ?string {
		$row = $this->rows( $sql, $values )[0] ?? array();
		return array() === $row ? null : reset( $row );
	}

	/**
	 * Returns the ids as text for an IN list. An empty list gives "0", which is no id, because an empty IN list is a syntax error.
	 *
	 * @param int[] $ids Ids.
	 */
	public static function ids( array $ids ): string {
		return array() === $ids ? '0' : implode( ',', array_map( 'intval', $ids ) );
	}

	/**
	 * @template T
	 * @param \Closure(\wpdb): (T|null) $body Returns null when the statement failed.
	 * @return T
	 * @throws DatabaseError
	 */
	private function attempt( \Closure $body ) {
		$database   = $this->wpdb;
		$suppressed = $database->suppress_errors( true );
		try {
			for ( $try = 1; ; $try++ ) {
				$done = $body( $database );
				if ( null !== $done ) {
					return $done;
				}
				$number = self::error_number( $database );
				if ( self::TRIES <= $try || $this->clock->monotonic() > $this->until || ! in_array( $number, self::RETRIED_ERRORS, true ) ) {
					if ( in_array( $number, self::MISSING_TABLE_ERRORS, true ) ) {
						// A restored database may lack the plugin's tables. The next schema check, in wp-admin or in cron, creates them.
						$this->tables->forget_version();
					}
					$this->log->error( "the database refused a statement on our tables: error {$number}" );
					throw new DatabaseError( "error {$number}" );
				}
				usleep( random_int( 5000, 40000 ) * $try );
			}
		} finally {
			$database->suppress_errors( $suppressed );
		}
	}

	private static function error_number( \wpdb $database ): int {
		$handle = $database->dbh ?? null;
		return $handle instanceof \mysqli ? (int) $handle->errno : 0;
	}
}
