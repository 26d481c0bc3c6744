<?php
/**
 * Scheduled hooks.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge;

use InvalidArgumentException;

/**
 * Names all scheduled hooks and removes them. Action Scheduler's actions have the group GROUP. CRON lists the cron events of WordPress, so
 * that deactivation and uninstallation find them.
 */
final class Schedule {

	public const GROUP = 'tillsync-bridge';

	/** Cron event, every minute. It drains the outbox even when no earlier request has scheduled a drain. */
	public const MINUTE = 'tillsync_bridge_minute';

	/** Cron event at the time at which the next row of the outbox is due. It drains the outbox. */
	public const DUE = 'tillsync_bridge_due';

	/** Cron event, every hour. It runs the sweep for orders that the order hook missed. */
	public const HOURLY = 'tillsync_bridge_hourly';

	/** Cron event, every day. */
	public const DAILY = 'tillsync_bridge_daily';

	/** Action that sends the outbox. */
	public const DRAIN = 'tillsync_bridge_drain';

	/** Action that puts older orders into the outbox, a portion at a time. */
	public const BACKFILL = 'tillsync_bridge_backfill';

	/** Action that grants and revokes roles, a portion at a time. */
	public const ROLES = 'tillsync_bridge_roles';

	private const CRON = array( self::MINUTE, self::DUE, self::HOURLY, self::DAILY );

	/**
	 * Adds a schedule of one minute; WordPress has none below an hour. The label is not translated, because this filter may run before
	 * translations may be loaded.
	 *
	 * @param mixed $schedules Schedules of WordPress and other plugins.
	 * @return mixed
	 */
	public static function with_every_minute( $schedules ) {
		if ( is_array( $schedules ) ) {
			$schedules['tillsync_bridge_minutely'] ??= array( 'interval' => 60, 'display' => 'Every minute' );
		}
		return $schedules;
	}

	/** Creates the cron events that are missing. It reads one autoloaded option, and writes only when an event is missing. */
	public static function ensure_cron(): void {
		foreach ( array( self::MINUTE => 'tillsync_bridge_minutely', self::HOURLY => 'hourly', self::DAILY => 'daily' ) as $hook => $every ) {
			if ( ! wp_next_scheduled( $hook ) ) {
				wp_schedule_event( time() + 60, $every, $hook );
			}
		}
	}

	/**
	 * Makes WordPress's cron drain the outbox at that time or earlier. WordPress refuses an event within ten minutes of another one of its
	 * hook, so an event for a later time is moved. It reads one autoloaded option, and writes only when no event is early enough.
	 */
	public static function due_at( int $time ): void {
		$next = wp_next_scheduled( self::DUE );
		if ( is_int( $next ) && $next <= $time ) {
			return;
		}
		if ( is_int( $next ) ) {
			wp_unschedule_event( $next, self::DUE );
		}
		wp_schedule_single_event( $time, self::DUE );
	}

	/**
	 * Starts WordPress's cron in a request of its own, as a visitor's page does when an event is due. It does not wait for that request. A
	 * shop that has switched this off runs its cron by a clock of its own.
	 */
	public static function start_cron(): void {
		if ( ! defined( 'DISABLE_WP_CRON' ) || ! DISABLE_WP_CRON ) {
			spawn_cron();
		}
	}

	/**
	 * Schedules an Action Scheduler action, unless one is pending for that time or earlier. It cancels pending actions for later times,
	 * because each action ends with a check of when the next one is needed. So one action is pending, however often this method is called.
	 * Two may be pending when two processes call it for the same second. Returns false when Action Scheduler is missing or not ready; cron
	 * then does the work.
	 *
	 * Action Scheduler's `unique` does not fit. It also refuses while the action runs, and the running action schedules the next one.
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
			// Another process has scheduled an earlier time since the first check.
			$spare[] = $made;
		}
		foreach ( $spare as $id ) {
			try {
				\ActionScheduler::store()->cancel_action( (string) $id );
			} catch ( InvalidArgumentException $error ) {
				continue; // Another process has deleted it.
			}
		}
		return true;
	}

	/** @return int[] Ids of pending actions whose time compares so with $time. */
	private static function waiting( string $hook, int $time, string $compare ): array {
		$query = array( 'hook' => $hook, 'group' => self::GROUP, 'status' => 'pending', 'date' => '@' . $time, 'date_compare' => $compare, 'per_page' => 20 );
		return array_map( 'intval', as_get_scheduled_actions( $query, 'ids' ) );
	}

	/** Removes every scheduled action and cron event of the plugin from the present site. */
	public static function clear_all(): void {
		foreach ( self::CRON as $hook ) {
			wp_clear_scheduled_hook( $hook );
		}
		if ( function_exists( 'as_unschedule_all_actions' ) && did_action( 'action_scheduler_init' ) ) {
			as_unschedule_all_actions( '', array(), self::GROUP );
		}
	}
}
