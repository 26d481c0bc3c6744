<?php
/**
 * The event table.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Events;

use Tillsync\Bridge\Clock;
use Tillsync\Bridge\Database;
use Tillsync\Bridge\DatabaseError;
use Tillsync\Bridge\Schema\Tables;

/** Reads and writes `{prefix}tillsync_event`, which has the newest event of each subject. */
class EventTable {

	public function __construct( private readonly Database $database, private readonly Tables $tables, private readonly Clock $clock ) {}

	/**
	 * Returns the highest stored sequence of each subject. Subjects are in lower case, because the database ignores case.
	 *
	 * @param string[] $subjects At most 500.
	 * @return array<string, int>
	 * @throws DatabaseError
	 */
	public function sequences( array $subjects ): array {
		if ( array() === $subjects ) {
			return array();
		}
		$places    = implode( ',', array_fill( 0, count( $subjects ), '%s' ) );
		$sequences = array();
		foreach ( $this->database->rows( "SELECT subject, sequence FROM {$this->name()} WHERE subject IN ({$places})", array_values( $subjects ) ) as $row ) {
			$sequences[ strtolower( (string) $row['subject'] ) ] = (int) $row['sequence'];
		}
		return $sequences;
	}

	/**
	 * Stores events that are newer than the rows, in one statement. Each subject may occur once.
	 *
	 * @param Event[] $events Events.
	 * @throws DatabaseError
	 */
	public function store( array $events ): void {
		if ( array() === $events ) {
			return;
		}
		usort( $events, static fn( Event $one, Event $other ) => strcmp( $one->subject, $other->subject ) );
		$now    = $this->clock->now();
		$values = array();
		foreach ( $events as $event ) {
			array_push( $values, $event->subject, $event->sequence, $event->event_id, $event->type, $event->entry_id, $event->state, $event->outcome, min( $event->held_count, 4294967295 ), $now );
		}
		$sets = array();
		foreach ( array( 'event_id', 'type', 'entry_id', 'state', 'outcome', 'held_count', 'received_at', 'sequence' ) as $column ) {
			$sets[] = "{$column} = CASE WHEN VALUES(sequence) > sequence THEN VALUES({$column}) ELSE {$column} END";
		}
		$this->database->write(
			"INSERT INTO {$this->name()} (subject, sequence, event_id, type, entry_id, state, outcome, held_count, received_at) VALUES "
			. implode( ',', array_fill( 0, count( $events ), '(%s,%d,%s,%s,%s,%s,%s,%d,%d)' ) ) . ' ON DUPLICATE KEY UPDATE ' . implode( ', ', $sets ),
			$values
		);
	}

	private function name(): string {
		return $this->tables->event();
	}
}
