<?php
/**
 * Keeps the schema at the plugin's version.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Schema;

use Tillsync\Bridge\Connection\ConnectionStore;
use Tillsync\Bridge\Orders\ChosenStatuses;

/** Activation hooks run neither on updates nor for new sites of a network, so the version is looked at in wp-admin and by cron. */
final class SchemaUpdater {

	public function __construct( private readonly Tables $tables ) {}

	/** Makes the tables when they are missing or older. Costs one autoloaded option otherwise. */
	public function check(): void {
		if ( ! $this->tables->is_current() ) {
			$this->tables->migrate();
			// There, and autoloaded, from the beginning: a missing option costs the order hook a query.
			add_option( ConnectionStore::ACTIVE, '', '', true );
			add_option( ChosenStatuses::OPTION, ChosenStatuses::DEFAULT, '', true );
			// WooCommerce's block email editor would look for mails that are new, as ours is now, once a week only.
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
	 * A deleted site takes its tables along.
	 *
	 * @param mixed $tables  Tables to drop.
	 * @param mixed $site_id Should be its id.
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
