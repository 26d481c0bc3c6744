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
 * Reads and writes `{prefix}tillsync_customer`. User meta does not fit: 500 customers take one statement here and 6,000 there, and all
 * shops of a network share user meta.
 */
class CustomerTable {

	public function __construct(
		private readonly \wpdb $wpdb,
		private readonly Database $database,
		private readonly Tables $tables,
		private readonly Clock $clock
	) {}

	/**
	 * Stores the items that are newer than the rows, in one statement. So of two concurrent requests, the older version never overwrites
	 * the newer one, whatever either of them read before. Rows with changed values get the token; where only the version changed, as_of
	 * stays. The same statement marks a customer with a changed type for RoleRun, so that no role check is lost.
	 *
	 * @param CustomerItem[]  $items      Each customer at most once.
	 * @param array<int, int> $registered Registration times by customer; a missing one, or RegistrationTime::UNKNOWN, is stored as NULL.
	 * @throws DatabaseError
	 */
	public function store( array $items, string $token, array $registered = array() ): void {
		if ( array() === $items ) {
			return;
		}
		// Sorted by id, so that two batches lock rows in the same order and cannot deadlock.
		usort( $items, static fn( CustomerItem $one, CustomerItem $other ) => $one->user_id <=> $other->user_id );
		$now    = $this->clock->now();
		$tuples = array();
		// After an update of the plugin the column is missing until the next cron event.
		$has_registered = $this->tables->is_at_least( 2 );
		$has_link       = $this->tables->is_at_least( 3 );
		$more           = ( $has_registered ? ',registered' : '' ) . ( $has_link ? ',epos_customer_id,linked_at' : '' );
		foreach ( $items as $item ) {
			// Every value is a checked number, decimal or time. prepare() of 4,500 placeholders would cost more than the statement.
			$type     = null === $item->type_id ? 'NULL' : (string) $item->type_id;
			$due      = null === $item->type_id ? 0 : 1;
			$tuples[] = "({$item->user_id},{$item->version}," . (int) $item->removed . ",'{$item->points}','{$item->credit}',{$type},{$item->as_of},{$now},'{$token}',{$due}" . ( $has_registered ? ',' . ( ( $registered[ $item->user_id ] ?? 0 ) ?: 'NULL' ) : '' )
				. ( $has_link ? ',' . ( $item->epos_customer_id ?? 'NULL' ) . ",{$now}" : '' ) . ')';
		}
		// invariant: older-customer-versions-change-nothing
		$newer      = 'VALUES(version) > version';
		$other_user = $has_registered ? ' OR registered <> VALUES(registered)' : '';
		$other_type = "(removed <> VALUES(removed) OR COALESCE(type_id, 0) <> COALESCE(VALUES(type_id), 0){$other_user})";
		$changed    = "{$newer} AND ({$other_type} OR points <> VALUES(points) OR credit <> VALUES(credit))";
		// MySQL sets columns from left to right and reads the new values, so the compared columns come last.
		$sets = array(
			"write_token = CASE WHEN {$changed} THEN VALUES(write_token) WHEN {$newer} THEN '' ELSE write_token END",
			"as_of = CASE WHEN {$changed} THEN VALUES(as_of) ELSE as_of END",
			"updated_at = CASE WHEN {$changed} THEN VALUES(updated_at) ELSE updated_at END",
			"role_due = CASE WHEN {$newer} AND {$other_type} THEN 1 ELSE role_due END",
		);
		if ( $has_link ) {
			$other_link = 'removed <> VALUES(removed) OR COALESCE(epos_customer_id, 0) <> COALESCE(VALUES(epos_customer_id), 0)';
			$sets[]     = "linked_at = CASE WHEN {$newer} AND ({$other_link}) THEN VALUES(linked_at) ELSE linked_at END";
			$sets[]     = "epos_customer_id = CASE WHEN {$newer} THEN VALUES(epos_customer_id) ELSE epos_customer_id END";
		}
		foreach ( array_merge( array( 'points', 'credit', 'type_id', 'removed' ), $has_registered ? array( 'registered' ) : array(), array( 'version' ) ) as $column ) {
			$sets[] = "{$column} = CASE WHEN {$newer} THEN VALUES({$column}) ELSE {$column} END";
		}
		$this->database->write(
			"INSERT INTO {$this->name()} (user_id,version,removed,points,credit,type_id,as_of,updated_at,write_token,role_due{$more}) VALUES "
			. implode( ',', $tuples ) . ' ON DUPLICATE KEY UPDATE ' . implode( ', ', $sets )
		);
	}

	/**
	 * Returns the rows of the customers, including tombstones.
	 *
	 * @param int[] $user_ids Ids of customers.
	 * @return array<int, CustomerRow> Rows by customer.
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
	 * Returns the row to show for a customer, or null without one. Values of another person who had the id before give null. Every place
	 * that shows or uses values calls this method. It reads the user from the database, because a cache may be newer than a restored
	 * database.
	 *
	 * @throws DatabaseError
	 */
	public function find( int $user_id ): ?CustomerRow {
		$users = $this->wpdb->users;
		$found = $this->database->rows( "SELECT c.*, u.user_registered FROM {$this->name()} c LEFT JOIN {$users} u ON u.ID = c.user_id WHERE c.user_id = %d", array( $user_id ) )[0] ?? null;
		$row   = null === $found ? null : CustomerRow::from_row( $found );
		return null === $row || $row->removed || ! $row->belongs_to( RegistrationTime::seconds( $found['user_registered'] ) ) ? null : $row;
	}

	/**
	 * Counts customers by type.
	 *
	 * @return array<int, int> Counts by type.
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
	 * Returns the next customers that have one of the types or a role granted by the plugin, in ascending order.
	 *
	 * @param int[] $type_ids Ids of types.
	 * @return int[] Ids of customers.
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
	 * Marks all customers of these types, and all with a role granted by the plugin, for a role check.
	 *
	 * @param int[] $type_ids Ids of types.
	 * @throws DatabaseError
	 */
	public function mark_for_check( array $type_ids ): void {
		$grants = $this->tables->role_grant();
		$this->database->write( "UPDATE {$this->name()} SET role_due = 1 WHERE type_id IN (" . Database::ids( $type_ids ) . ') AND removed = 0' );
		$this->database->write( "UPDATE {$this->name()} SET role_due = 1 WHERE user_id IN (SELECT user_id FROM {$grants})" );
	}

	/**
	 * Returns customers whose role must be checked, by id, with the version of the read.
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
	 * Records that the role was checked. A row written since the read stays marked.
	 *
	 * @throws DatabaseError
	 */
	public function mark_checked( CustomerRow $row ): void {
		$this->database->write( "UPDATE {$this->name()} SET role_due = 0 WHERE user_id = %d AND version = %d", array( $row->user_id, $row->version ) );
	}

	/**
	 * Deletes the row of a user who is no longer a customer of this site.
	 *
	 * @throws DatabaseError
	 */
	public function forget( int $user_id ): void {
		$this->database->write( "DELETE FROM {$this->name()} WHERE user_id = %d", array( $user_id ) );
	}

	/**
	 * Removes all values. The tombstones keep their versions, so that a late write from before has no effect.
	 *
	 * @throws DatabaseError
	 */
	public function remove_all(): void {
		$now       = $this->clock->now();
		$till_link = $this->tables->is_at_least( 3 ) ? 'epos_customer_id = NULL, ' : '';
		$this->database->write( "UPDATE {$this->name()} SET {$till_link}removed = 1, points = '0', credit = '0', type_id = NULL, as_of = 0, write_token = '', role_due = 1, updated_at = %d WHERE removed = 0", array( $now ) );
	}

	private function name(): string {
		return $this->tables->customer();
	}
}
