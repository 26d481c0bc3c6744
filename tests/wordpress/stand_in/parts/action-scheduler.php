<?php
/**
 * Action Scheduler with one table and a runner that claims actions. `unique` refuses an action while one of the same hook and group is
 * pending or running. A failed action is not retried. Only cron starts the runner.
 */

final class ActionScheduler {
	public static function install() {
		global $wpdb;
		dbDelta( "CREATE TABLE {$wpdb->prefix}actionscheduler_actions (\n action_id bigint(20) unsigned NOT NULL auto_increment,\n hook varchar(191) NOT NULL,\n status varchar(20) NOT NULL,\n scheduled_date_gmt datetime NULL,\n args varchar(191) NULL,\n recurrence int NOT NULL default 0,\n action_group varchar(191) NOT NULL default '',\n claim_id varchar(40) NOT NULL default '',\n PRIMARY KEY  (action_id),\n KEY hook_status (hook(100),status)\n) {$wpdb->get_charset_collate()};" );
	}

	public static function is_initialized( $function = null ) {
		if ( ! did_action( 'action_scheduler_init' ) && $function ) {
			_doing_it_wrong( esc_html( $function ), 'It was called before the Action Scheduler data store was initialized.', '3.1.6' );
		}
		return (bool) did_action( 'action_scheduler_init' );
	}

	public static function runner() {
		return ActionScheduler_QueueRunner::instance();
	}

	public static function store() {
		static $one = null;
		return $one ?? $one = new ActionScheduler_DBStore();
	}
}

abstract class ActionScheduler_Store {
	const STATUS_COMPLETE = 'complete';
	const STATUS_PENDING  = 'pending';
	const STATUS_RUNNING  = 'in-progress';
	const STATUS_FAILED   = 'failed';
	const STATUS_CANCELED = 'canceled';
}

final class ActionScheduler_DBStore extends ActionScheduler_Store {
	/** Cancels an action in any state. An action that does not exist is no error. */
	public function cancel_action( $action_id ) {
		global $wpdb;
		$wpdb->update( "{$wpdb->prefix}actionscheduler_actions", array( 'status' => self::STATUS_CANCELED ), array( 'action_id' => $action_id ) );
	}
}

final class ActionScheduler_QueueRunner {
	public static function instance() {
		static $one = null;
		return $one ?? $one = new self();
	}

	/** Claims and runs due actions once. */
	public function run( $context = 'WP Cron' ) {
		global $wpdb;
		$table = "{$wpdb->prefix}actionscheduler_actions";
		$claim = wp_generate_password( 20, false );
		$due   = $wpdb->get_col( $wpdb->prepare( "SELECT action_id FROM $table WHERE status = 'pending' AND claim_id = '' AND scheduled_date_gmt <= %s ORDER BY scheduled_date_gmt, action_id LIMIT 25", gmdate( 'Y-m-d H:i:s' ) ) ); // phpcs:ignore
		foreach ( $due as $id ) {
			$wpdb->query( $wpdb->prepare( "UPDATE $table SET claim_id = %s WHERE action_id = %d AND claim_id = ''", $claim, $id ) ); // phpcs:ignore
		}
		$done = 0;
		foreach ( $wpdb->get_results( $wpdb->prepare( "SELECT * FROM $table WHERE claim_id = %s ORDER BY action_id", $claim ) ) as $row ) { // phpcs:ignore
			$this->process( $row, $table );
			++$done;
		}
		return $done;
	}

	private function process( $row, $table ) {
		global $wpdb;
		if ( 'pending' !== $wpdb->get_var( $wpdb->prepare( "SELECT status FROM $table WHERE action_id = %d", $row->action_id ) ) ) { // phpcs:ignore
			return;
		}
		$wpdb->update( $table, array( 'status' => 'in-progress' ), array( 'action_id' => $row->action_id ) );
		try {
			do_action_ref_array( $row->hook, array_values( json_decode( $row->args, true ) ) );
			$status = 'complete';
		} catch ( Throwable $e ) {
			$status = 'failed';
			do_action( 'action_scheduler_failed_execution', (int) $row->action_id, $e, 'run' );
		}
		$wpdb->update( $table, array( 'status' => $status ), array( 'action_id' => $row->action_id ) );
		if ( $row->recurrence ) {
			wc_schedule_action( time() + (int) $row->recurrence, $row->hook, json_decode( $row->args, true ), $row->action_group, false, (int) $row->recurrence );
		}
	}
}

add_action( 'init', static fn() => do_action( 'action_scheduler_init' ), 1 );
add_action( 'action_scheduler_run_queue', static fn( $context = 'WP Cron' ) => ActionScheduler::runner()->run( $context ) );
add_filter( 'cron_schedules', static fn( $known ) => $known + array( 'every_minute' => array( 'interval' => 60, 'display' => 'Every minute' ) ) );
add_action(
	'init',
	static function () {
		if ( ! wp_next_scheduled( 'action_scheduler_run_queue', array( 'WP Cron' ) ) ) {
			wp_schedule_event( time(), 'every_minute', 'action_scheduler_run_queue', array( 'WP Cron' ) );
		}
	}
);

function wc_schedule_action( $time, $hook, $args, $group, $unique, $recurrence = 0 ) {
	global $wpdb;
	if ( ! ActionScheduler::is_initialized( 'as_schedule' ) ) {
		return 0;
	}
	$table = "{$wpdb->prefix}actionscheduler_actions";
	if ( $unique && $wpdb->get_var( $wpdb->prepare( "SELECT COUNT(*) FROM $table WHERE hook = %s AND action_group = %s AND status IN ('pending', 'in-progress')", $hook, $group ) ) ) { // phpcs:ignore
		return 0;
	}
	$wpdb->insert( $table, array( 'hook' => $hook, 'status' => 'pending', 'scheduled_date_gmt' => gmdate( 'Y-m-d H:i:s', $time ), 'args' => wp_json_encode( $args ), 'recurrence' => $recurrence, 'action_group' => $group ) );
	return (int) $wpdb->insert_id;
}

function as_enqueue_async_action( $hook, $args = array(), $group = '', $unique = false, $priority = 10 ) {
	return wc_schedule_action( time(), $hook, $args, $group, $unique );
}

function as_schedule_single_action( $timestamp, $hook, $args = array(), $group = '', $unique = false, $priority = 10 ) {
	$made = apply_filters( 'pre_as_schedule_single_action', null, $timestamp, $hook, $args, $group, $priority, $unique );
	return null === $made ? wc_schedule_action( $timestamp, $hook, $args, $group, $unique ) : (int) $made;
}

function as_schedule_recurring_action( $timestamp, $interval_in_seconds, $hook, $args = array(), $group = '', $unique = false, $priority = 10 ) {
	return wc_schedule_action( $timestamp, $hook, $args, $group, $unique, (int) $interval_in_seconds );
}

function wc_find_actions( $hook, $args, $group, array $statuses ) {
	global $wpdb;
	$where = array( "status IN ('" . implode( "','", array_map( 'esc_sql', $statuses ) ) . "')" );
	foreach ( array( 'hook' => $hook, 'action_group' => $group ) as $column => $value ) {
		if ( '' !== $value ) {
			$where[] = $wpdb->prepare( "$column = %s", $value ); // phpcs:ignore
		}
	}
	if ( null !== $args ) {
		$where[] = $wpdb->prepare( 'args = %s', wp_json_encode( $args ) );
	}
	return $wpdb->get_results( "SELECT * FROM {$wpdb->prefix}actionscheduler_actions WHERE " . implode( ' AND ', $where ) . ' ORDER BY scheduled_date_gmt, action_id' ); // phpcs:ignore
}

/** Cancels the next action. With an empty array as args, the real one matches only actions without arguments. */
function as_unschedule_action( $hook, $args = array(), $group = '' ) {
	global $wpdb;
	if ( ! ActionScheduler::is_initialized( __FUNCTION__ ) ) {
		return 0;
	}
	$found = wc_find_actions( $hook, $args, $group, array( 'pending' ) );
	if ( ! $found ) {
		return null;
	}
	$wpdb->update( "{$wpdb->prefix}actionscheduler_actions", array( 'status' => 'canceled' ), array( 'action_id' => $found[0]->action_id ) );
	return (int) $found[0]->action_id;
}

function as_unschedule_all_actions( $hook, $args = array(), $group = '' ) {
	if ( ! ActionScheduler::is_initialized( __FUNCTION__ ) ) {
		return;
	}
	// An empty array stands for all actions of the hook or of the group.
	$args = empty( $args ) ? null : $args;
	while ( wc_find_actions( (string) $hook, $args, $group, array( 'pending' ) ) ) {
		as_unschedule_action( (string) $hook, $args, $group );
	}
}

/** Returns the time of the next action, true while one runs, and false if there is none. */
function as_next_scheduled_action( $hook, $args = null, $group = '' ) {
	if ( ! ActionScheduler::is_initialized( __FUNCTION__ ) ) {
		return false;
	}
	if ( wc_find_actions( $hook, $args, $group, array( 'in-progress' ) ) ) {
		return true;
	}
	$found = wc_find_actions( $hook, $args, $group, array( 'pending' ) );
	return $found ? strtotime( $found[0]->scheduled_date_gmt . ' UTC' ) : false;
}

function as_has_scheduled_action( $hook, $args = null, $group = '' ) {
	return ActionScheduler::is_initialized( __FUNCTION__ ) && (bool) wc_find_actions( $hook, $args, $group, array( 'pending', 'in-progress' ) );
}

function as_get_scheduled_actions( $args = array(), $return_format = OBJECT ) {
	$statuses = (array) ( $args['status'] ?? array( 'pending', 'in-progress', 'complete', 'failed', 'canceled' ) );
	$found    = wc_find_actions( $args['hook'] ?? '', $args['args'] ?? null, $args['group'] ?? '', $statuses );
	if ( isset( $args['date'] ) ) {
		$date  = is_numeric( $args['date'] ) ? '@' . $args['date'] : $args['date'];
		$date  = ( new DateTime( $date, new DateTimeZone( 'UTC' ) ) )->setTimezone( new DateTimeZone( 'UTC' ) )->format( 'Y-m-d H:i:s' );
		$holds = array( '<' => array( -1 ), '<=' => array( -1, 0 ), '=' => array( 0 ), '!=' => array( -1, 1 ), '>=' => array( 0, 1 ), '>' => array( 1 ) )[ $args['date_compare'] ?? '<=' ];
		$found = array_filter( $found, static fn( $row ) => in_array( $row->scheduled_date_gmt <=> $date, $holds, true ) );
	}
	$found = array_slice( array_values( $found ), 0, (int) ( $args['per_page'] ?? 5 ) );
	return 'ids' === $return_format ? array_map( static fn( $row ) => (int) $row->action_id, $found ) : array_column( $found, null, 'action_id' );
}

function as_supports( $feature ) {
	return false;
}
