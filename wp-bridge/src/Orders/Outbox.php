<?php
/**
 * The outbox of orders.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Schema\Tables;


// phpcs:disable WordPress.DB.PreparedSQL, WordPress.DB.DirectDatabaseQuery -- the plugin's own table; every value is prepared.

/**
 * Reads and writes the outbox table. It has one row for each order that was ever to be sent, and only this row tells that an order was
 * sent. Order meta does not fit: renewals and duplicating plugins copy it to other orders, and other plugins delete it.
 */
class Outbox {

	/**
	 * Delay before an order is sent. wc_create_order() changes the status before customer and email are stored, so the facts are final only
	 * later.
	 */
	public const SEND_DELAY_SECONDS = 30;

	/** Lengths of columns whose values come from outside this class. */
	private const LENGTHS = array( 'reason' => 500, 'outcome' => 60, 'entry_state' => 20, 'state' => 10, 'claim_token' => 32 );

	public function __construct(
		private readonly \wpdb $wpdb,
		private readonly SilentQueries $queries,
		private readonly Tables $tables,
		private readonly Clock $clock
	) {}

	/**
	 * Adds an order that has reached a chosen status. It executes one statement, and only its return value shows a failure. An order that
	 * has a row stays unchanged. An exception is an order that was closed unsent (cancelled, in the trash): it waits again.
	 */
	public function add( int $order_id ): bool {
		$now = $this->clock->now();
		$due = $now + self::SEND_DELAY_SECONDS;
		// MySQL sets columns from left to right. The other columns depend on the state, so it comes last.
		return $this->write(
			"INSERT INTO {$this->table()} (order_id, state, created_at, due_at, updated_at) VALUES (%d, 'waiting', %d, %d, %d)
			ON DUPLICATE KEY UPDATE
				due_at = CASE WHEN state = 'closed' THEN %d ELSE due_at END,
				attempts = CASE WHEN state = 'closed' THEN 0 ELSE attempts END,
				reason = CASE WHEN state = 'closed' THEN '' ELSE reason END,
				state = CASE WHEN state = 'closed' THEN 'waiting' ELSE state END",
			array( $order_id, $now, $due, $now, $due )
		);
	}

	/** Makes an order due at once because a person asks for it. With $rerun the service matches it again even if it was matched before. */
	public function request_match( int $order_id, bool $rerun = true ): bool {
		$now  = $this->clock->now();
		$flag = $rerun ? 1 : 0;
		return $this->write(
			"INSERT INTO {$this->table()} (order_id, state, created_at, due_at, rerun, updated_at) VALUES (%d, 'waiting', %d, %d, %d, %d)
			ON DUPLICATE KEY UPDATE state = 'waiting', due_at = %d, rerun = %d, attempts = 0, reason = '', revision = revision + 1, updated_at = %d",
			array( $order_id, $now, $now, $flag, $now, $now, $flag, $now )
		);
	}

	/** Makes a sent order due for polling, because the service reported an event. A waiting row stays waiting. */
	public function request_poll( int $order_id ): bool {
		$now = $this->clock->now();
		return $this->write(
			"INSERT INTO {$this->table()} (order_id, state, created_at, due_at, updated_at) VALUES (%d, 'sent', %d, %d, %d)
			ON DUPLICATE KEY UPDATE
				due_at = CASE WHEN state = 'waiting' THEN due_at ELSE %d END,
				attempts = CASE WHEN state = 'waiting' THEN attempts ELSE 0 END,
				revision = CASE WHEN state = 'waiting' THEN revision ELSE revision + 1 END,
				state = CASE WHEN state = 'waiting' THEN state ELSE 'sent' END",
			array( $order_id, $now, $now, $now, $now )
		);
	}

	/**
	 * Claims due rows of one state for this process until the claim ends. Another process may claim some of them at the same moment, so the
	 * result may be shorter than possible. It is empty only when nothing is due. SKIP LOCKED is not used, because older MySQL and MariaDB
	 * do not have it.
	 *
	 * @return OutboxRow[]|null Null when the table cannot be read or written.
	 */
	public function claim( string $state, int $limit, int $seconds ): ?array {
		$token = bin2hex( random_bytes( 16 ) );
		for ( $try = 0; $try < 20; $try++ ) {
			$now = $this->clock->now();
			$due = $this->wpdb->prepare( 'state = %s AND due_at <= %d AND claim_until < %d', $state, $now, $now );
			$ids = $this->column( "SELECT order_id FROM {$this->table()} WHERE {$due} ORDER BY due_at, order_id LIMIT %d", array( $limit ) );
			if ( null === $ids || array() === $ids ) {
				return $ids;
			}
			$list = implode( ',', array_map( 'intval', $ids ) );
			if ( ! $this->write( "UPDATE {$this->table()} SET claim_token = %s, claim_until = %d WHERE order_id IN ({$list}) AND {$due}", array( $token, $now + $seconds ) ) ) {
				return null;
			}
			$rows = $this->rows( "SELECT * FROM {$this->table()} WHERE order_id IN ({$list}) AND claim_token = %s ORDER BY due_at, order_id", array( $token ) );
			if ( array() !== $rows ) {
				return $rows;
			}
		}
		return array();
	}

	/** Claims one live row, due or not. Returns null when the row is not live, or another process has claimed it. */
	public function claim_one( int $order_id, int $seconds ): ?OutboxRow {
		$now   = $this->clock->now();
		$token = bin2hex( random_bytes( 16 ) );
		$this->write( "UPDATE {$this->table()} SET claim_token = %s, claim_until = %d WHERE order_id = %d AND state IN ('waiting', 'sent') AND claim_until < %d", array( $token, $now + $seconds, $order_id, $now ) );
		return $this->rows( "SELECT * FROM {$this->table()} WHERE order_id = %d AND claim_token = %s", array( $order_id, $token ) )[0] ?? null;
	}

	/**
	 * Records the result of a claimed row and ends the claim. Nothing else is written when the row was requested again meanwhile
	 * (revision), or when the claim has lapsed and another process has claimed it. The row then keeps its values and runs again.
	 *
	 * @param array<string, int|string> $changes New values by column.
	 * @return bool Whether the changes were written.
	 */
	public function record( OutboxRow $row, array $changes ): bool {
		$changes = $changes + array( 'claim_token' => '', 'claim_until' => 0, 'updated_at' => $this->clock->now() );
		$sets    = array();
		$values  = array();
		foreach ( $changes as $column => $value ) {
			$sets[]   = $column . ( is_int( $value ) ? ' = %d' : ' = %s' );
			$values[] = is_int( $value ) ? $value : mb_substr( $value, 0, self::LENGTHS[ $column ] ?? 64 );
		}
		$written = $this->queries->write(
			"UPDATE {$this->table()} SET " . implode( ', ', $sets ) . ' WHERE order_id = %d AND claim_token = %s AND revision = %d',
			array_merge( $values, array( $row->order_id, $row->claim_token, $row->revision ) )
		);
		if ( 0 === $written ) {
			$this->release( array( $row ) );
		}
		return 0 < $written;
	}

	/**
	 * Releases claimed rows unchanged.
	 *
	 * @param OutboxRow[] $rows Rows of one claim.
	 */
	public function release( array $rows ): void {
		foreach ( $rows as $row ) {
			$this->write( "UPDATE {$this->table()} SET claim_token = '', claim_until = 0 WHERE order_id = %d AND claim_token = %s", array( $row->order_id, $row->claim_token ) );
		}
	}

	public function find( int $order_id ): ?OutboxRow {
		return $this->rows( "SELECT * FROM {$this->table()} WHERE order_id = %d", array( $order_id ) )[0] ?? null;
	}

	/**
	 * Returns those of the orders that have no row, or a row that was closed unsent.
	 *
	 * @param int[] $order_ids At most a few hundred.
	 * @return int[]|null Null when the table cannot be read.
	 */
	public function without_row( array $order_ids ): ?array {
		if ( array() === $order_ids ) {
			return array();
		}
		$list     = implode( ',', array_map( 'intval', $order_ids ) );
		$with_row = $this->column( "SELECT order_id FROM {$this->table()} WHERE order_id IN ({$list}) AND state <> %s", array( OutboxRow::CLOSED ) );
		return null === $with_row ? null : array_values( array_diff( array_map( 'intval', $order_ids ), array_map( 'intval', $with_row ) ) );
	}

	/**
	 * Returns those of the orders that the service holds, newest first.
	 *
	 * @param int[] $order_ids At most a few hundred.
	 * @return int[]
	 */
	public function held_of( array $order_ids ): array {
		$list = implode( ',', array_map( 'intval', $order_ids ) );
		return '' === $list ? array() : array_map( 'intval', $this->column( "SELECT order_id FROM {$this->table()} WHERE order_id IN ({$list}) AND state = %s AND entry_state = %s ORDER BY order_id DESC", array( OutboxRow::SENT, Answer::HELD ) ) ?? array() );
	}

	/** Returns when the next live row, or the next unsent one, is due and unclaimed. Null when there is none. */
	public function next_due( bool $unsent = false ): ?int {
		$next = $this->column( "SELECT MIN(CASE WHEN claim_until > due_at THEN claim_until + 1 ELSE due_at END) FROM {$this->table()} WHERE state IN (%s, %s)", array( OutboxRow::WAITING, $unsent ? OutboxRow::WAITING : OutboxRow::SENT ) );
		return isset( $next[0] ) ? (int) $next[0] : null;
	}

	/**
	 * Counts the rows that are not at their end, and failed ones, by state, with the creation time of the oldest. Other ended rows are not
	 * counted, because they are many.
	 *
	 * @return array<string, array{count: int, oldest: int}> For waiting, sent and failed. A state without rows is omitted.
	 */
	public function depth(): array {
		$depth = array();
		foreach ( $this->queries->rows( "SELECT state, COUNT(*) AS number, MIN(created_at) AS oldest FROM {$this->table()} WHERE state IN ('waiting', 'sent', 'failed') AND 1 = %d GROUP BY state", array( 1 ) ) ?? array() as $row ) {
			$depth[ (string) $row['state'] ] = array( 'count' => (int) $row['number'], 'oldest' => (int) $row['oldest'] );
		}
		return $depth;
	}

	/**
	 * Returns the rows that the service does not have: waiting ones, and those that it refused.
	 *
	 * @return OutboxRow[] Newest first.
	 */
	public function unsent( int $limit, int $offset = 0 ): array {
		return $this->rows(
			"SELECT * FROM {$this->table()} WHERE state = 'waiting' OR (state = 'failed' AND entry_id = '') ORDER BY created_at DESC, order_id DESC LIMIT %d OFFSET %d",
			array( $limit, $offset )
		);
	}

	/** Closes all live rows, because this site will not send them or poll for them. */
	public function close_waiting( string $reason ): void {
		$now = $this->clock->now();
		$this->write( "UPDATE {$this->table()} SET state = 'closed', reason = %s, revision = revision + 1, updated_at = %d WHERE state IN ('waiting', 'sent')", array( $reason, $now ) );
	}

	private function table(): string {
		return $this->tables->outbox();
	}

	/** @param array<int, int|string> $values Values of the placeholders. */
	private function write( string $sql, array $values ): bool {
		return -1 < $this->queries->write( $sql, $values );
	}

	/**
	 * @param array<int, int|string> $values Values of the placeholders.
	 * @return array<int, mixed>|null The first column; null after a failure.
	 */
	private function column( string $sql, array $values ): ?array {
		$rows = $this->queries->rows( $sql, $values );
		return null === $rows ? null : array_map( static fn( array $row ) => reset( $row ), $rows );
	}

	/**
	 * @param array<int, int|string> $values Values of the placeholders.
	 * @return OutboxRow[]
	 */
	private function rows( string $sql, array $values ): array {
		return array_map( array( OutboxRow::class, 'from_row' ), $this->queries->rows( $sql, $values ) ?? array() );
	}
}
