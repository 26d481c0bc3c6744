<?php
/**
 * Updates of the database schema.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Schema;

use Tillsync\Bridge\Connection\ConnectionStore;
use Tillsync\Bridge\Customers\PointsSwitch;
use Tillsync\Bridge\Emails\EmailParts;
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
			// WordPress loads these options with each request, because a missing option costs a query each time: in the order hook, on My
			// Account, and when WooCommerce makes its mails. WooCommerce fills empty settings of a mail with the mail's defaults.
			add_option( ConnectionStore::ACTIVE, '', '', true );
			add_option( ChosenStatuses::OPTION, ChosenStatuses::DEFAULT, '', true );
			add_option( PointsSwitch::OPTION, PointsSwitch::ON, '', true );
			foreach ( EmailParts::IDS as $email_id ) {
				add_option( "woocommerce_{$email_id}_settings", array(), '', true );
			}
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
