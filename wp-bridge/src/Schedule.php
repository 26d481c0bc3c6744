<?php
/**
 * Everything that runs later.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge;

use InvalidArgumentException;

/**
 * The names of all scheduled hooks, and their removal. Action Scheduler's actions carry the group GROUP; WordPress's cron events are
 * listed here, so that deactivation and uninstallation find them.
 */
final class Schedule {

	public const GROUP = 'tillsync-bridge';

	/** Cron, every minute: the floor under every kick. */
	public const MINUTE = 'tillsync_bridge_minute';

	/** Cron, every hour: the sweep for orders that were missed. */
	public const HOURLY = 'tillsync_bridge_hourly';

	/** Cron, every day. */
	public const DAILY = 'tillsync_bridge_daily';

	/** Action Scheduler: empty the outbox. */
	public const DRAIN = 'tillsync_bridge_drain';

	/** Action Scheduler: put older orders into the outbox, a portion at a time. */
	public const BACKFILL = 'tillsync_bridge_backfill';

	/** Action Scheduler: give and take roles, a portion at a time. */
	public const ROLES = 'tillsync_bridge_roles';

	private const CRON = array( self::MINUTE, self::HOURLY, self::DAILY );

	/**
	 * WordPress knows nothing shorter than an hour. Not translated: this filter may run before translations may be loaded.
	 *
	 * @param mixed $schedules As known so far.
	 * @return mixed
	 */
	public static function with_every_minute( $schedules ) {
		if ( is_array( $schedules ) ) {
			$schedules['tillsync_bridge_minutely'] ??= array( 'interval' => 60, 'display' => 'Every minute' );
		}
		return $schedules;
	}

	/** Makes sure that the cron events exist. Reads one autoloaded option; writes only when one is missing. */
	public static function ensure_cron(): void {
		foreach ( array( self::MINUTE => 'tillsync_bridge_minutely', self::HOURLY => 'hourly', self::DAILY => 'daily' ) as $hook => $every ) {
			if ( ! wp_next_scheduled( $hook ) ) {
				wp_schedule_event( time() + 60, $every, $hook );
			}
		}
	}

	/**
	 * An Action Scheduler action at a time, unless one is already waiting for that time or earlier; those that wait for later are taken
	 * back, since each action ends with a look at when the next is wanted. So one is waiting, however often this is called: when two
	 * processes meet here for the same second, there may be two. False: Action Scheduler is not there, or not ready yet: cron will do it.
	 *
	 * `unique` of Action Scheduler is no use here: it refuses also while the action runs, and that is when the next one is scheduled.
	 */
	public static function at( int $time, string $hook ): bool {
		if ( ! function_exists( 'as_schedule_single_action' ) || ! did_action( 'action_scheduler_init' ) ) {
			return false;
		}
		if ( array() !== self::waiting( $hook, $time, '<=' ) ) {
			return true;
		}
		$made = as_schedule_single_action( $time, $hook, array(), self::GROUP );
		if ( $made < 1 ) {
			return false;
		}
		$spare = self::waiting( $hook, $time, '>' );
		if ( array() !== self::waiting( $hook, $time, '<' ) ) {
			// Another process has asked for an earlier time since we looked.
			$spare[] = $made;
		}
		foreach ( $spare as $id ) {
			try {
				\ActionScheduler::store()->cancel_action( (string) $id );
			} catch ( InvalidArgumentException $error ) {
				continue; // It is gone already.
			}
		}
		return true;
	}

	/** @return int[] Actions that wait for a time before, at or after this one. */
	private static function waiting( string $hook, int $time, string $compare ): array {
		$query = array( 'hook' => $hook, 'group' => self::GROUP, 'status' => 'pending', 'date' => '@' . $time, 'date_compare' => $compare, 'per_page' => 20 );
		return array_map( 'intval', as_get_scheduled_actions( $query, 'ids' ) );
	}

	/** Takes every scheduled thing of ours off the present site. */
	public static function clear_all(): void {
		foreach ( self::CRON as $hook ) {
			wp_clear_scheduled_hook( $hook );
		}
		if ( function_exists( 'as_unschedule_all_actions' ) && did_action( 'action_scheduler_init' ) ) {
			as_unschedule_all_actions( '', array(), self::GROUP );
		}
	}
}
