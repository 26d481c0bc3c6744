<?php
/**
 * Translated names of states.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Orders;

/** Names the states of entries and rows. Comments are not translated, because they are fixed texts of the service. */
final class AnswerTexts {

	/** @param string $state State of an entry, such as "ENTRY_STATE_HELD". */
	public static function state( string $state ): string {
		switch ( $state ) {
			case 'ENTRY_STATE_PENDING':
				return __( 'In progress', 'tillsync-bridge' );
			case 'ENTRY_STATE_PROCESSED':
				return __( 'Done', 'tillsync-bridge' );
			case 'ENTRY_STATE_SKIPPED':
				return __( 'Skipped', 'tillsync-bridge' );
			case 'ENTRY_STATE_HELD':
				return __( 'Needs review', 'tillsync-bridge' );
			case 'ENTRY_STATE_FAILED':
				return __( 'Failed', 'tillsync-bridge' );
			case 'ENTRY_STATE_DISMISSED':
				return __( 'Dismissed', 'tillsync-bridge' );
			default:
				return __( 'Unknown', 'tillsync-bridge' );
		}
	}

	/** Returns when a waiting order is sent. A drain starts with the next run of cron after the due time. */
	public static function send_time( int $due_at ): string {
		return $due_at > time()
			/* translators: %s: time of day, with seconds */
			? sprintf( __( 'Will be sent at %s, or within a minute after that.', 'tillsync-bridge' ), wp_date( 'H:i:s', $due_at ) )
			: __( 'Will be sent within a minute or two.', 'tillsync-bridge' );
	}

	/** @param string $state State of an outbox row. */
	public static function row( string $state ): string {
		switch ( $state ) {
			case OutboxRow::WAITING:
				return __( 'Not sent yet', 'tillsync-bridge' );
			case OutboxRow::SENT:
				return __( 'Sent', 'tillsync-bridge' );
			case OutboxRow::FAILED:
				return __( 'Failed', 'tillsync-bridge' );
			case OutboxRow::CLOSED:
				return __( 'Not sent', 'tillsync-bridge' );
			default:
				return __( 'Done', 'tillsync-bridge' );
		}
	}
}
