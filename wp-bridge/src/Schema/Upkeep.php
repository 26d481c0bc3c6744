<?php
/**
 * Keeps the schema at the plugin's version.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Schema;

use Tillsync\Bridge\Connection\ConnectionStore;
use Tillsync\Bridge\Guarded;
use Tillsync\Bridge\Orders\ChosenStatuses;
use Tillsync\Bridge\Part;
use Tillsync\Bridge\Schedule;
use Tillsync\Bridge\Services;

/** Activation hooks run neither on updates nor for new sites of a network, so the version is looked at in wp-admin and by cron. */
final class Upkeep implements Part {

	private Services $services;

	public function __construct( Services $services ) {
		$this->services = $services;
	}

	public function register(): void {
		$check = Guarded::action( $this->services, 'schema check', fn() => $this->check() );
		add_action( 'admin_init', $check, 5 );
		foreach ( array( Schedule::MINUTE, Schedule::HOURLY, Schedule::DAILY ) as $hook ) {
			add_action( $hook, $check, 1 );
		}
		add_action( 'wp_initialize_site', Guarded::action( $this->services, 'wp_initialize_site', fn( $site = null ) => $this->site_made( $site ) ), 900 );
		add_filter( 'wpmu_drop_tables', Guarded::filter( $this->services, 'wpmu_drop_tables', fn( $tables, $site_id = 0 ) => $this->dropped( $tables, (int) $site_id ) ), 10, 2 );
		add_filter( 'cron_schedules', Guarded::filter( $this->services, 'cron_schedules', fn( $schedules ) => $this->schedules( $schedules ) ) ); // phpcs:ignore WordPress.WP.CronInterval
		add_action( 'init', Guarded::action( $this->services, 'cron events', static fn() => Schedule::ensure_cron() ) );
	}

	/** Makes the tables when they are missing or older. Costs one autoloaded option otherwise. */
	public function check(): void {
		if ( ! $this->services->tables()->is_current() ) {
			$this->services->tables()->migrate();
			// There, and autoloaded, from the beginning: a missing option costs the order hook a query.
			add_option( ConnectionStore::ACTIVE, '', '', true );
			add_option( ChosenStatuses::OPTION, ChosenStatuses::DEFAULT, '', true );
			// WooCommerce's block email editor would look for mails that are new, as ours is now, once a week only.
			delete_transient( 'wc_email_editor_initial_templates_generated' );
		}
	}

	/** @param mixed $site The new site. */
	private function site_made( $site ): void {
		require_once ABSPATH . 'wp-admin/includes/plugin.php';
		if ( ! $site instanceof \WP_Site || ! is_plugin_active_for_network( plugin_basename( \Tillsync\Bridge\PLUGIN_FILE ) ) ) {
			return;
		}
		switch_to_blog( (int) $site->blog_id );
		try {
			$this->check();
		} finally {
			restore_current_blog();
		}
	}

	/**
	 * A deleted site takes its tables along.
	 *
	 * @param mixed $tables Tables to drop.
	 * @return mixed
	 */
	private function dropped( $tables, int $site_id ) {
		if ( ! is_array( $tables ) || $site_id < 1 ) {
			return $tables;
		}
		switch_to_blog( $site_id );
		try {
			return array_merge( $tables, $this->services->tables()->all() );
		} finally {
			restore_current_blog();
		}
	}

	/**
	 * WordPress knows nothing shorter than an hour. Not translated: this filter may run before translations may be loaded.
	 *
	 * @param mixed $schedules As known so far.
	 * @return mixed
	 */
	private function schedules( $schedules ) {
		if ( is_array( $schedules ) ) {
			$schedules['tillsync_bridge_minutely'] ??= array( 'interval' => 60, 'display' => 'Every minute' );
		}
		return $schedules;
	}
}
