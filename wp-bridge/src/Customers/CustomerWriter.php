<?php
/**
 * The writer of customer batches.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Customers;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\DatabaseError;
use Tillsync\Bridge\Rest\InvalidField;
use Tillsync\Bridge\Types\RoleRun;

/**
 * Applies a batch of customers and returns one result per item, by position. One statement stores the values of the whole batch. Names
 * follow, one customer at a time. Then the versions are read again. A customer with a newer write gets `stale`, so the service reads the
 * till again and writes the latest names.
 */
class CustomerWriter {

	public function __construct(
		private readonly ShopUsers $shop_users,
		private readonly Names $names,
		private readonly RoleRun $role_run,
		private readonly ChangeNotices $change_notices,
		private readonly CustomerTable $customers,
		private readonly Clock $clock
	) {}

	/**
	 * @param array<int, mixed> $raw      The decoded items.
	 * @param float             $deadline Monotonic seconds. Items not begun by then get `not_done`.
	 * @return array<int, array<string, mixed>> Results by position.
	 * @throws DatabaseError
	 */
	public function write( array $raw, float $deadline ): array {
		$results = array();
		$items   = array();
		foreach ( $raw as $position => $one ) {
			$results[ $position ] = array( 'user_id' => is_array( $one ) ? $one['user_id'] ?? 0 : 0 );
			try {
				$items[ $position ] = CustomerItem::of( $one );
			} catch ( InvalidField $error ) {
				$results[ $position ] += array( 'status' => 'invalid', 'field' => $error->field );
			}
		}
		$existing = $this->shop_users->existing( array_column( $items, 'user_id' ) );
		$changed  = array();
		foreach ( self::rounds( $items ) as $round ) {
			$applicable = array_filter( $round, static fn( CustomerItem $item ) => isset( $existing[ $item->user_id ] ) && $item->is_for_person( $existing[ $item->user_id ] ) );
			foreach ( array_diff_key( $round, $applicable ) as $position => $item ) {
				$results[ $position ] += array( 'status' => 'not_found' );
			}
			$is_late = $this->is_late( $deadline );
			foreach ( $is_late ? array_fill_keys( array_keys( $applicable ), array( 'status' => 'not_done' ) ) : $this->apply( $applicable, $existing, $deadline, $changed ) as $position => $result ) {
				$results[ $position ] += $result;
			}
		}
		$this->after_change( $changed );
		return $results;
	}

	/**
	 * Splits the items into rounds with each customer at most once, so that a second item of a customer sees the result of the first.
	 *
	 * @param array<int, CustomerItem> $items Items by position.
	 * @return array<int, array<int, CustomerItem>>
	 */
	private static function rounds( array $items ): array {
		$rounds = array();
		$seen   = array();
		foreach ( $items as $position => $item ) {
			$number                         = $seen[ $item->user_id ] ?? 0;
			$seen[ $item->user_id ]         = $number + 1;
			$rounds[ $number ][ $position ] = $item;
		}
		return $rounds;
	}

	/**
	 * @param array<int, CustomerItem>       $items      Items by position; each customer exists and occurs once.
	 * @param array<int, int>                $registered Registration times by customer.
	 * @param array<int, CustomerRow>        $changed    Gets the changed rows, by customer.
	 * @return array<int, array<string, mixed>> Results by position.
	 * @throws DatabaseError
	 */
	private function apply( array $items, array $registered, float $deadline, array &$changed ): array {
		$this->names->prime( array_values( array_unique( array_map( static fn( CustomerItem $item ) => $item->user_id, array_filter( $items, static fn( CustomerItem $item ) => array() !== $item->names ) ) ) ) );
		$before = $this->customers->read( array_column( $items, 'user_id' ) );
		// Stored values of another person who had the id do not complete an item.
		$own   = array_filter( $before, static fn( CustomerRow $row ) => $row->belongs_to( $registered[ $row->user_id ] ) );
		$items = array_map( static fn( CustomerItem $item ) => $item->with_stored( $own[ $item->user_id ] ?? null ), $items );
		$results = array();
		foreach ( $items as $position => $item ) {
			$row = $before[ $item->user_id ] ?? null;
			if ( null !== $row && $item->version <= $row->version ) {
				$is_repeated          = $item->version === $row->version && $row->equals_item( $item ) && array() === $this->names->changed_names( $item );
				$results[ $position ] = $is_repeated ? array( 'status' => 'unchanged' ) : self::stale( $row );
			}
		}
		$newer = array_diff_key( $items, $results );
		$token = bin2hex( random_bytes( 8 ) );
		$this->customers->store( array_values( $newer ), $token, $registered );
		$after = $this->customers->read( array_column( $newer, 'user_id' ) );
		$named = array();
		foreach ( $newer as $position => $item ) {
			$row = $after[ $item->user_id ] ?? null;
			if ( null === $row ) {
				// The row was deleted since the write.
				$results[ $position ] = array( 'status' => 'not_found' );
				continue;
			}
			// A removal without a row creates a tombstone and changes no values.
			$is_changed = $row->write_token === $token && ! ( $item->removed && ! isset( $before[ $item->user_id ] ) );
			if ( $is_changed ) {
				$changed[ $item->user_id ] = $row;
			}
			if ( $row->version !== $item->version ) {
				$results[ $position ] = self::stale( $row );
				continue;
			}
			$results[ $position ] = array( 'status' => $is_changed ? 'updated' : 'unchanged' );
			$differing            = $this->names->changed_names( $item );
			if ( array() !== $differing ) {
				$results[ $position ] = $this->write_names( $item, $differing, $deadline );
				$named[ $position ]   = $item;
				if ( 'updated' === $results[ $position ]['status'] ) {
					$changed[ $item->user_id ] = $row;
				}
			}
		}
		return array_replace( $results, $this->overtaken( $named ) );
	}

	/**
	 * @param array<string, string> $differing Names to write.
	 * @return array<string, mixed> The item's result.
	 */
	private function write_names( CustomerItem $item, array $differing, float $deadline ): array {
		if ( $this->is_late( $deadline ) ) {
			return array( 'status' => 'not_done' );
		}
		$refused = $this->names->write( $item->user_id, $differing );
		if ( null !== $refused ) {
			return array( 'status' => 'invalid', 'field' => $refused );
		}
		// An older service ignores unknown fields.
		$not_kept = $this->names->unsaved( $item->user_id, $differing );
		return array( 'status' => 'updated' ) + ( array() === $not_kept ? array() : array( 'not_kept' => $not_kept ) );
	}

	/**
	 * @param array<int, CustomerItem> $named Items whose names were written, by position.
	 * @return array<int, array<string, string>> Stale results by position.
	 * @throws DatabaseError
	 */
	private function overtaken( array $named ): array {
		$results = array();
		$now     = $this->customers->read( array_column( $named, 'user_id' ) );
		foreach ( $named as $position => $item ) {
			$row = $now[ $item->user_id ] ?? null;
			if ( null !== $row && $row->version > $item->version ) {
				$results[ $position ] = self::stale( $row );
			}
		}
		return $results;
	}

	/** @return array{status: string, version: string} */
	private static function stale( CustomerRow $row ): array {
		return array( 'status' => 'stale', 'version' => (string) $row->version );
	}

	private function is_late( float $deadline ): bool {
		return $this->clock->monotonic() >= $deadline;
	}

	/** @param array<int, CustomerRow> $changed Changed rows by customer. */
	private function after_change( array $changed ): void {
		if ( array() === $changed ) {
			return;
		}
		$this->role_run->customers_changed();
		$this->change_notices->fire( array_map( static fn( CustomerRow $row ) => $row->values(), $changed ) );
	}
}
