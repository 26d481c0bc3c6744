<?php
/**
 * The table of customer types.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Types;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Database;
use Tillsync\Bridge\DatabaseError;
use Tillsync\Bridge\Schema\Tables;

/** Reads and writes `{prefix}tillsync_customer_type`. */
class TypeTable {

	public function __construct(
		private readonly \wpdb $wpdb,
		private readonly Database $database,
		private readonly Tables $tables,
		private readonly Clock $clock
	) {}

	/**
	 * Stores a type that is newer than the row.
	 *
	 * @throws DatabaseError
	 */
	public function store( CustomerType $type ): void {
		$name = $this->wpdb->strip_invalid_text_for_column( $this->name(), 'name', $type->name );
		$text = $this->wpdb->strip_invalid_text_for_column( $this->name(), 'description', $type->description );
		$sets = array();
		foreach ( array( 'removed', 'name', 'discount', 'description', 'updated_at', 'version' ) as $column ) {
			$sets[] = "{$column} = CASE WHEN VALUES(version) > version THEN VALUES({$column}) ELSE {$column} END";
		}
		$this->database->write(
			"INSERT INTO {$this->name()} (type_id, version, removed, name, discount, description, updated_at) VALUES (%d, %d, %d, %s, %s, %s, %d)
			ON DUPLICATE KEY UPDATE " . implode( ', ', $sets ),
			array(
				$type->type_id,
				$type->version,
				(int) $type->removed,
				is_string( $name ) ? $name : '',
				$type->discount,
				is_string( $text ) ? $text : '',
				$this->clock->now(),
			)
		);
	}

	/**
	 * Returns the row, also a tombstone, or null.
	 *
	 * @throws DatabaseError
	 */
	public function read( int $type_id ): ?CustomerType {
		$row = $this->database->rows( "SELECT * FROM {$this->name()} WHERE type_id = %d", array( $type_id ) )[0] ?? null;
		return null === $row ? null : CustomerType::from_row( $row );
	}

	/**
	 * Returns all rows, including tombstones, sorted by name.
	 *
	 * @return array<int, CustomerType> Types by id.
	 * @throws DatabaseError
	 */
	public function all(): array {
		$types = array();
		foreach ( $this->database->rows( "SELECT * FROM {$this->name()} ORDER BY name, type_id" ) as $row ) {
			$types[ (int) $row['type_id'] ] = CustomerType::from_row( $row );
		}
		return $types;
	}

	private function name(): string {
		return $this->tables->customer_type();
	}
}
