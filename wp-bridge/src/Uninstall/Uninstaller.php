<?php
/**
 * The uninstaller.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Uninstall;

use Tillsync\Bridge\Connection\CopyGuard;
use Tillsync\Bridge\Emails\EmailParts;
use Tillsync\Bridge\Log;
use Tillsync\Bridge\SafeCall;
use Tillsync\Bridge\Schedule;
use Tillsync\Bridge\Schema\Tables;
use Tillsync\Bridge\Service\ServiceClient;
use Tillsync\Bridge\Service\ServiceError;
use Tillsync\Bridge\Types\RoleGrants;

// phpcs:disable WordPress.DB -- the plugin's own tables, and WooCommerce's while WooCommerce is not loaded.

/**
 * Deletes all data of the plugin from a site. Each step runs even if another one failed. The token is revoked first, while the connection
 * is still stored. Roles are revoked before their table is dropped.
 */
final class Uninstaller {

	/** Seconds. A service that does not answer must not delay the uninstallation. */
	private const TIMEOUT_SECONDS = 5;

	/** Addresses of services that did not answer. The next site of the network does not wait for them again. */
	private array $unreached = array();

	public function __construct(
		private readonly \wpdb $wpdb,
		private readonly RoleGrants $grants,
		private readonly CopyGuard $copy_guard,
		private readonly ServiceClient $service_client,
		private readonly Tables $tables,
		private readonly Log $log
	) {}

	/** Deletes the data of the present site. */
	public function clean_site(): void {
		foreach ( array( 'revoke_token', 'take_roles_back', 'unschedule', 'drop_tables', 'delete_order_meta', 'delete_options' ) as $step ) {
			SafeCall::run( $this->log, "uninstall: {$step}", fn() => $this->{$step}() );
		}
	}

	/** Revokes the token. A copy of a shop must not, because the token belongs to the original. */
	private function revoke_token(): void {
		$connection = $this->copy_guard->usable();
		if ( null === $connection || in_array( $connection->url, $this->unreached, true ) ) {
			return;
		}
		try {
			$this->service_client->call_with( $connection->url, $connection->token, 'AccountService', 'DisconnectShop', array( 'accountId' => $connection->account_id ), self::TIMEOUT_SECONDS );
		} catch ( ServiceError $error ) {
			if ( $error->is_transport() ) {
				$this->unreached[] = $connection->url;
			}
		}
	}

	/** Revokes the roles that the plugin granted. */
	private function take_roles_back(): void {
		$this->grants->revoke_all();
	}

	private function unschedule(): void {
		Schedule::clear_all();
		if ( function_exists( 'as_unschedule_all_actions' ) ) {
			return;
		}
		$groups  = $this->wpdb->prefix . 'actionscheduler_groups';
		$actions = $this->wpdb->prefix . 'actionscheduler_actions';
		$this->try_query( $this->wpdb->prepare( "DELETE FROM {$actions} WHERE group_id IN (SELECT group_id FROM {$groups} WHERE slug = %s)", Schedule::GROUP ) );
	}

	private function drop_tables(): void {
		foreach ( $this->tables->all() as $table ) {
			$this->try_query( "DROP TABLE IF EXISTS {$table}" );
		}
	}

	/** Deletes answers of orders in both stores, because a shop may have changed from one to the other. */
	private function delete_order_meta(): void {
		$like = $this->wpdb->esc_like( '_tillsync_' ) . '%';
		foreach ( array( $this->wpdb->postmeta, $this->wpdb->prefix . 'wc_orders_meta' ) as $table ) {
			$this->try_query( $this->wpdb->prepare( "DELETE FROM {$table} WHERE meta_key LIKE %s", $like ) );
		}
	}

	private function delete_options(): void {
		foreach ( array( 'tillsync_bridge_', '_transient_tillsync_', '_transient_timeout_tillsync_' ) as $prefix ) {
			$like = $this->wpdb->esc_like( $prefix ) . '%';
			foreach ( (array) $this->wpdb->get_col( $this->wpdb->prepare( "SELECT option_name FROM {$this->wpdb->options} WHERE option_name LIKE %s", $like ) ) as $option ) {
				delete_option( (string) $option );
			}
		}
		// WooCommerce stores the settings of the plugin's mails and of its settings screen, and the block editor's posts of the mails.
		delete_option( 'woocommerce_tillsync_settings' );
		foreach ( EmailParts::IDS as $email_id ) {
			$post_option = "woocommerce_email_templates_{$email_id}_post_id";
			$post_id     = (int) get_option( $post_option, 0 );
			if ( $post_id > 0 ) {
				wp_delete_post( $post_id, true );
			}
			delete_option( $post_option );
			delete_option( "woocommerce_{$email_id}_settings" );
		}
	}

	/** Runs a statement and ignores a missing table. */
	private function try_query( string $sql ): void {
		$suppressed = $this->wpdb->suppress_errors( true );
		$this->wpdb->query( $sql );
		$this->wpdb->suppress_errors( $suppressed );
	}
}
