<?php
/**
 * The table of user changes.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Users;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Database;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\Orders\SilentQueries;
use Tillsync\Bridge\Schema\Tables;

// phpcs:disable WordPress.DB.PreparedSQL -- the plugin's own table; every value is prepared.

/**
 * Reads and writes `{prefix}tillsync_user_changes`. A row has the user, the registration time, the kind of change and its time, but no
 * email. For each person and kind only the newest row stays. A repeated change gets a new id, so that a send in progress deletes only the
 * older row.
 */
class UserChanges {

	public const DELETED = 'deleted';
	public const EMAIL   = 'email';

	/** Maximum number of rows, because a service that does not accept changes must not fill the shop's database. */
	public const LIMIT = 5000;

	public function __construct(
		private readonly SilentQueries $queries,
		private readonly Tables $tables,
		private readonly Clock $clock,
		private readonly Log $log
	) {}

	/**
	 * Adds a change with one statement.
	 *
	 * @param string $kind       DELETED or EMAIL.
	 * @param int    $registered Registration time of the user, or RegistrationTime::UNKNOWN.
	 */
	public function add( int $user_id, string $kind, int $registered ): bool {
		$orders_due = self::EMAIL === $kind ? 1 : 0;
		return -1 < $this->queries->write(
			"REPLACE INTO {$this->table()} (user_id, kind, registered, changed_at, orders_due) VALUES (%d, %s, %d, %d, %d)",
			array( $user_id, $kind, $registered, $this->clock->now(), $orders_due )
		);
	}

	/** Returns null without rows, true when held orders must be sent again, and false when only changes must be reported. */
	public function orders_are_due(): ?bool {
		$row = $this->queries->rows( "SELECT orders_due FROM {$this->table()} ORDER BY orders_due DESC LIMIT %d", array( 1 ) )[0] ?? null;
		return null === $row ? null : 1 === (int) $row['orders_due'];
	}

	/**
	 * Returns the oldest rows, in ascending order.
	 *
	 * @return array<int, array{id: int, user_id: int, kind: string, registered: int, changed_at: int}>
	 */
	public function oldest( int $limit ): array {
		return $this->read( '1 = 1', $limit );
	}

	/**
	 * Returns changed emails whose user's held orders have not been sent again, oldest first.
	 *
	 * @return array<int, array{id: int, user_id: int, kind: string, registered: int, changed_at: int}>
	 */
	public function with_orders_due( int $limit ): array {
		return $this->read( 'orders_due = 1', $limit );
	}

	/** @return bool Whether the update was stored. */
	public function orders_done( int $id ): bool {
		return -1 < $this->queries->write( "UPDATE {$this->table()} SET orders_due = 0 WHERE id = %d", array( $id ) );
	}

	/**
	 * @param int[] $ids Ids of rows that were reported or need no report.
	 * @return bool Whether the rows were deleted.
	 */
	public function forget( array $ids ): bool {
		return -1 < $this->queries->write( "DELETE FROM {$this->table()} WHERE id IN (" . Database::ids( $ids ) . ') AND 1 = %d', array( 1 ) );
	}

	/** Deletes all rows, because another account has none of the earlier links. */
	public function forget_all(): void {
		$this->queries->write( "DELETE FROM {$this->table()} WHERE 1 = %d", array( 1 ) );
	}

	/** Deletes the oldest rows above the limit. */
	public function trim( int $limit = self::LIMIT ): void {
		$oldest_kept = $this->queries->rows( "SELECT id FROM {$this->table()} ORDER BY id DESC LIMIT 1 OFFSET %d", array( $limit - 1 ) )[0]['id'] ?? null;
		$dropped     = null === $oldest_kept ? 0 : $this->queries->write( "DELETE FROM {$this->table()} WHERE id < %d", array( (int) $oldest_kept ) );
		if ( $dropped > 0 ) {
			$this->log->warning( "{$dropped} changes of users were dropped: the service did not take them, and the shop keeps {$limit}" );
		}
	}

	/** @return array<int, array{id: int, user_id: int, kind: string, registered: int, changed_at: int}> */
	private function read( string $which, int $limit ): array {
		$rows = array();
		foreach ( $this->queries->rows( "SELECT * FROM {$this->table()} WHERE {$which} ORDER BY id LIMIT %d", array( $limit ) ) ?? array() as $row ) {
			$rows[] = array( 'id' => (int) $row['id'], 'user_id' => (int) $row['user_id'], 'kind' => (string) $row['kind'], 'registered' => (int) $row['registered'], 'changed_at' => (int) $row['changed_at'] );
		}
		return $rows;
	}

	private function table(): string {
		return $this->tables->user_changes();
	}
}
