<?php
/**
 * Statements on our own tables.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge;

use Tillsync\Bridge\Schema\Tables;

// phpcs:disable WordPress.DB.PreparedSQL, WordPress.DB.DirectDatabaseQuery -- our own tables; every value is prepared.

/**
 * Reads and writes that fail by exception. wpdb answers a failure with false or an empty list and prints it into the page; here it is
 * neither printed nor mistaken for "no rows".
 */
class Database {

	private const TRIES = 4;

	/** For a caller that waits: a lock, and all tries together. Half of the service's 20 s. */
	private const LOCK_SECONDS = 3;
	private const ALL_SECONDS  = 8.0;

	/** MySQL and MariaDB: a deadlock, a lock that was waited for too long. */
	private const WORTH_ANOTHER_TRY = array( 1213, 1205 );

	/** No such table, no such column; 0: another database, which does not say. */
	private const PERHAPS_NO_TABLE = array( 1146, 1054, 0 );

	/** Of the monotonic clock: no further try is begun after it. */
	private float $until = INF;

	public function __construct(
		private readonly \wpdb $wpdb,
		private readonly Tables $tables,
		private readonly Clock $clock,
		private readonly Log $log
	) {}

	/**
	 * Somebody waits for this request: a lock of others (MySQL waits 50 s for one by default) is a failure soon enough to be told, and
	 * the caller comes again.
	 */
	public function be_quick(): void {
		$this->until = $this->clock->monotonic() + self::ALL_SECONDS;
		if ( ( $this->wpdb->dbh ?? null ) instanceof \mysqli ) {
			$suppressed = $this->wpdb->suppress_errors( true );
			$this->wpdb->query( $this->wpdb->prepare( 'SET SESSION innodb_lock_wait_timeout = %d', self::LOCK_SECONDS ) );
			$this->wpdb->suppress_errors( $suppressed );
		}
	}

	/**
	 * @param array<int, int|string> $values For the placeholders.
	 * @return int Rows changed.
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
	 * @param array<int, int|string> $values For the placeholders.
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
	 * The first column of the first row; null: no row, or NULL.
	 *
	 * @param array<int, int|string> $values For the placeholders.
	 * @throws DatabaseError
	 */
	public function value( string $sql, array $values = array() ): ?string {
		$row = $this->rows( $sql, $values )[0] ?? array();
		return array() === $row ? null : reset( $row );
	}

	/**
	 * Ids for an IN list. Never empty: 0 is nobody's id.
	 *
	 * @param int[] $ids Ids.
	 */
	public static function ids( array $ids ): string {
		return array() === $ids ? '0' : implode( ',', array_map( 'intval', $ids ) );
	}

	/**
	 * @template T
	 * @param \Closure(\wpdb): (T|null) $body Null: failed.
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
				if ( self::TRIES <= $try || $this->clock->monotonic() > $this->until || ! in_array( $number, self::WORTH_ANOTHER_TRY, true ) ) {
					if ( in_array( $number, self::PERHAPS_NO_TABLE, true ) ) {
						// A restored database may lack our tables: the next look in wp-admin or by cron makes them again.
						$this->tables->distrust();
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
