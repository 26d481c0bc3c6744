<?php
/**
 * Changes of users that the service is to hear of.
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

// phpcs:disable WordPress.DB.PreparedSQL -- our own table; every value is prepared.

/**
 * Gateway of `{prefix}tillsync_user_changes`. A row says which user, when that user registered, what happened and when: no email. Of one
 * person and kind the newest row stays. A change that is noted again gets a new id, so that a send in mid-way takes the older one only.
 */
class UserChanges {

	public const DELETED = 'deleted';
	public const EMAIL   = 'email';

	/** A service that cannot hear of changes must not fill the shop's database. */
	public const LIMIT = 5000;

	public function __construct(
		private readonly SilentQueries $queries,
		private readonly Tables $tables,
		private readonly Clock $clock,
		private readonly Log $log
	) {}

	/**
	 * One statement.
	 *
	 * @param string $kind       DELETED or EMAIL.
	 * @param int    $registered When the user registered; RegistrationTime::UNKNOWN: WordPress does not know.
	 */
	public function note( int $user_id, string $kind, int $registered ): bool {
		$orders_due = self::EMAIL === $kind ? 1 : 0;
		return -1 < $this->queries->changed(
			"REPLACE INTO {$this->table()} (user_id, kind, registered, changed_at, orders_due) VALUES (%d, %s, %d, %d, %d)",
			array( $user_id, $kind, $registered, $this->clock->now(), $orders_due )
		);
	}

	/** Whether anything waits: null: nothing; true: held orders are to be sent again; false: changes are to be told. */
	public function orders_are_due(): ?bool {
		$row = $this->queries->rows( "SELECT orders_due FROM {$this->table()} ORDER BY orders_due DESC LIMIT %d", array( 1 ) )[0] ?? null;
		return null === $row ? null : 1 === (int) $row['orders_due'];
	}

	/**
	 * Oldest first.
	 *
	 * @return array<int, array{id: int, user_id: int, kind: string, registered: int, changed_at: int}>
	 */
	public function oldest( int $limit ): array {
		return $this->read( '1 = 1', $limit );
	}

	/**
	 * Changes of emails after which the user's held orders have not been sent again, oldest first.
	 *
	 * @return array<int, array{id: int, user_id: int, kind: string, registered: int, changed_at: int}>
	 */
	public function with_orders_due( int $limit ): array {
		return $this->read( 'orders_due = 1', $limit );
	}

	/** @return bool Whether it is stored. */
	public function orders_done( int $id ): bool {
		return -1 < $this->queries->changed( "UPDATE {$this->table()} SET orders_due = 0 WHERE id = %d", array( $id ) );
	}

	/**
	 * @param int[] $ids Rows that were told, or that nobody needs.
	 * @return bool Whether they are gone.
	 */
	public function forget( array $ids ): bool {
		return -1 < $this->queries->changed( "DELETE FROM {$this->table()} WHERE id IN (" . Database::ids( $ids ) . ') AND 1 = %d', array( 1 ) );
	}

	/** Another account has no links of before. */
	public function forget_all(): void {
		$this->queries->changed( "DELETE FROM {$this->table()} WHERE 1 = %d", array( 1 ) );
	}

	/** Drops the oldest beyond a number. */
	public function trim( int $limit = self::LIMIT ): void {
		$oldest_kept = $this->queries->rows( "SELECT id FROM {$this->table()} ORDER BY id DESC LIMIT 1 OFFSET %d", array( $limit - 1 ) )[0]['id'] ?? null;
		$dropped     = null === $oldest_kept ? 0 : $this->queries->changed( "DELETE FROM {$this->table()} WHERE id < %d", array( (int) $oldest_kept ) );
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
