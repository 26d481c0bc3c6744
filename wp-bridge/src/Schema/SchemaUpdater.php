<?php
/**
 * Updates of the database schema.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Schema;

use Tillsync\Bridge\Connection\ConnectionStore;
use Tillsync\Bridge\Orders\ChosenStatuses;

/**
 * Brings the schema to the plugin's version in wp-admin and in cron. WordPress runs no activation hook on updates and for new sites of a
 * network.
 */
final class SchemaUpdater {

	public function __construct( private readonly Tables $tables ) {}

	/** Creates or changes the tables when the stored schema version is older. Otherwise it costs one autoloaded option. */
	public function check(): void {
		if ( ! $this->tables->is_current() ) {
			$this->tables->migrate();
			// These options exist and are autoloaded from the start, because a missing option costs the order hook a query.
			add_option( ConnectionStore::ACTIVE, '', '', true );
			add_option( ChosenStatuses::OPTION, ChosenStatuses::DEFAULT, '', true );
			// WooCommerce's block email editor looks for new mails only once a week. Without this transient it finds the plugin's mails
			// now.
			delete_transient( 'wc_email_editor_initial_templates_generated' );
		}
	}

	/** @param mixed $site The new site. */
	public function site_made( $site = null ): void {
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
	 * Adds the tables of a deleted site to the list that WordPress drops.
	 *
	 * @param mixed $tables  Tables to drop.
	 * @param mixed $site_id Id of the site.
	 * @return mixed
	 */
	public function with_tables_of( $tables = array(), $site_id = 0 ) {
		if ( ! is_array( $tables ) || ! is_numeric( $site_id ) || (int) $site_id < 1 ) {
			return $tables;
		}
		switch_to_blog( (int) $site_id );
		try {
			return array_merge( $tables, $this->tables->all() );
		} finally {
			restore_current_blog();
		}
	}
}
