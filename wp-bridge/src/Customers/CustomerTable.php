<?php
/**
 * The customer table.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Customers;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Database;
use Tillsync\Bridge\DatabaseError;
use Tillsync\Bridge\Schema\Tables;

/**
 * Gateway of `{prefix}tillsync_customer`. Why not user meta: 500 customers take one statement here and 6,000 there, and user meta is
 * shared by all shops of a network.
 */
class CustomerTable {

	public function __construct(
		private readonly \wpdb $wpdb,
		private readonly Database $database,
		private readonly Tables $tables,
		private readonly Clock $clock
	) {}

	/**
	 * Stores what is newer than what is there, all in one statement: two requests at once cannot put an older version over a newer one,
	 * whatever either of them has read before. Rows whose values changed carry the token afterwards; where only the version moved, as_of
	 * stays. A change of type makes the customer due for RoleRun, in the same statement, so that no role is forgotten.
	 *
	 * @param CustomerItem[]  $items      Each customer once.
	 * @param array<int, int> $registered When they registered, by customer; what is not there, or RegistrationTime::UNKNOWN, is stored as NULL.
	 * @throws DatabaseError
	 */
	public function store( array $items, string $token, array $registered = array() ): void {
		if ( array() === $items ) {
			return;
		}
		// By id: two batches that lock rows in different orders would wait for each other.
		usort( $items, static fn( CustomerItem $one, CustomerItem $other ) => $one->user_id <=> $other->user_id );
		$now    = $this->clock->now();
		$tuples = array();
		// Between an update of the plugin and the next cron the column may be missing.
		$has_registered = $this->tables->is_current();
		$more           = $has_registered ? ',registered' : '';
		foreach ( $items as $item ) {
			// Every value is a checked number, decimal or time: prepare() of 4,500 placeholders would cost more than the statement.
			$type     = null === $item->type_id ? 'NULL' : (string) $item->type_id;
			$due      = null === $item->type_id ? 0 : 1;
			$tuples[] = "({$item->user_id},{$item->version}," . (int) $item->removed . ",'{$item->points}','{$item->credit}',{$type},{$item->as_of},{$now},'{$token}',{$due}" . ( $has_registered ? ',' . ( ( $registered[ $item->user_id ] ?? 0 ) ?: 'NULL' ) : '' ) . ')';
		}
		// invariant: older-customer-versions-change-nothing
		$newer      = 'VALUES(version) > version';
		$other_user = $has_registered ? ' OR registered <> VALUES(registered)' : '';
		$other_type = "(removed <> VALUES(removed) OR COALESCE(type_id, 0) <> COALESCE(VALUES(type_id), 0){$other_user})";
		$changed    = "{$newer} AND ({$other_type} OR points <> VALUES(points) OR credit <> VALUES(credit))";
		// MySQL sets from left to right and sees what it has set: what others are judged by comes last.
		$sets = array(
			"write_token = CASE WHEN {$changed} THEN VALUES(write_token) WHEN {$newer} THEN '' ELSE write_token END",
			"as_of = CASE WHEN {$changed} THEN VALUES(as_of) ELSE as_of END",
			"updated_at = CASE WHEN {$changed} THEN VALUES(updated_at) ELSE updated_at END",
			"role_due = CASE WHEN {$newer} AND {$other_type} THEN 1 ELSE role_due END",
		);
		foreach ( array_merge( array( 'points', 'credit', 'type_id', 'removed' ), $has_registered ? array( 'registered' ) : array(), array( 'version' ) ) as $column ) {
			$sets[] = "{$column} = CASE WHEN {$newer} THEN VALUES({$column}) ELSE {$column} END";
		}
		$this->database->write(
			"INSERT INTO {$this->name()} (user_id,version,removed,points,credit,type_id,as_of,updated_at,write_token,role_due{$more}) VALUES "
			. implode( ',', $tuples ) . ' ON DUPLICATE KEY UPDATE ' . implode( ', ', $sets )
		);
	}

	/**
	 * Rows as they are, tombstones too.
	 *
	 * @param int[] $user_ids Customers.
	 * @return array<int, CustomerRow> By customer.
	 * @throws DatabaseError
	 */
	public function read( array $user_ids ): array {
		$found = array();
		if ( array() !== $user_ids ) {
			foreach ( $this->database->rows( "SELECT * FROM {$this->name()} WHERE user_id IN (" . Database::ids( $user_ids ) . ')' ) as $row ) {
				$found[ (int) $row['user_id'] ] = CustomerRow::from_row( $row );
			}
		}
		return $found;
	}

	/**
	 * What there is to show of a customer; null: nothing. Values of somebody else who had the number before are nothing: every place that
	 * shows or uses values asks here. The user is read from the table, since a cache may outlive a restored database.
	 *
	 * @throws DatabaseError
	 */
	public function find( int $user_id ): ?CustomerRow {
		$users = $this->wpdb->users;
		$found = $this->database->rows( "SELECT c.*, u.user_registered FROM {$this->name()} c LEFT JOIN {$users} u ON u.ID = c.user_id WHERE c.user_id = %d", array( $user_id ) )[0] ?? null;
		$row   = null === $found ? null : CustomerRow::from_row( $found );
		return null === $row || $row->removed || ! $row->is_of( RegistrationTime::seconds( $found['user_registered'] ) ) ? null : $row;
	}

	/**
	 * Customers by type.
	 *
	 * @return array<int, int> Numbers, by type.
	 * @throws DatabaseError
	 */
	public function count_by_type(): array {
		$counts = array();
		foreach ( $this->database->rows( "SELECT type_id, COUNT(*) AS number FROM {$this->name()} WHERE removed = 0 AND type_id IS NOT NULL GROUP BY type_id" ) as $row ) {
			$counts[ (int) $row['type_id'] ] = (int) $row['number'];
		}
		return $counts;
	}

	/**
	 * The next customers of some types, or with a role from us, by id.
	 *
	 * @param int[] $type_ids Types.
	 * @return int[] Customers.
	 * @throws DatabaseError
	 */
	public function members( array $type_ids, int $after_user_id, int $limit ): array {
		$grants = $this->tables->role_grant();
		$rows   = $this->database->rows(
			"SELECT user_id FROM {$this->name()} WHERE user_id > %d AND removed = 0 AND type_id IN (" . Database::ids( $type_ids ) . ")
			UNION SELECT user_id FROM {$grants} WHERE user_id > %d ORDER BY user_id LIMIT %d",
			array( $after_user_id, $after_user_id, $limit )
		);
		return array_map( static fn( array $row ) => (int) $row['user_id'], $rows );
	}

	/**
	 * Everybody of these types, and everybody with a role from us, is due to be looked at.
	 *
	 * @param int[] $type_ids Types.
	 * @throws DatabaseError
	 */
	public function make_due( array $type_ids ): void {
		$grants = $this->tables->role_grant();
		$this->database->write( "UPDATE {$this->name()} SET role_due = 1 WHERE type_id IN (" . Database::ids( $type_ids ) . ') AND removed = 0' );
		$this->database->write( "UPDATE {$this->name()} SET role_due = 1 WHERE user_id IN (SELECT user_id FROM {$grants})" );
	}

	/**
	 * Customers whose role is to be looked at, by id, with the version they were read at.
	 *
	 * @return CustomerRow[]
	 * @throws DatabaseError
	 */
	public function due( int $limit ): array {
		$rows = $this->database->rows( "SELECT * FROM {$this->name()} WHERE role_due = 1 ORDER BY user_id LIMIT %d", array( $limit ) );
		return array_map( array( CustomerRow::class, 'from_row' ), $rows );
	}

	/** @throws DatabaseError */
	public function count_due(): int {
		return (int) $this->database->value( "SELECT COUNT(*) FROM {$this->name()} WHERE role_due = 1" );
	}

	/**
	 * The role was looked at. A row that has been written meanwhile stays due.
	 *
	 * @throws DatabaseError
	 */
	public function not_due( CustomerRow $row ): void {
		$this->database->write( "UPDATE {$this->name()} SET role_due = 0 WHERE user_id = %d AND version = %d", array( $row->user_id, $row->version ) );
	}

	/**
	 * The user is no customer of this site any more.
	 *
	 * @throws DatabaseError
	 */
	public function forget( int $user_id ): void {
		$this->database->write( "DELETE FROM {$this->name()} WHERE user_id = %d", array( $user_id ) );
	}

	/**
	 * Nobody is linked any more. The tombstones keep their versions, so that a late write of before stays out.
	 *
	 * @throws DatabaseError
	 */
	public function remove_all(): void {
		$now = $this->clock->now();
		$this->database->write( "UPDATE {$this->name()} SET removed = 1, points = '0', credit = '0', type_id = NULL, as_of = 0, write_token = '', role_due = 1, updated_at = %d WHERE removed = 0", array( $now ) );
	}

	private function name(): string {
		return $this->tables->customer();
	}
}
