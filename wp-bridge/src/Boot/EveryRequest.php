<?php
/**
 * Hooks of every request.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Boot;

use Tillsync\Bridge\Confirmation\ConfirmationHooks;
use Tillsync\Bridge\Confirmation\ConfirmationPages;
use Tillsync\Bridge\Connection\SiteSettings;
use Tillsync\Bridge\Customers\PointsDisplay;
use Tillsync\Bridge\Customers\ShopUsers;
use Tillsync\Bridge\Emails\Digest;
use Tillsync\Bridge\Emails\EmailParts;
use Tillsync\Bridge\Health\AlertTracker;
use Tillsync\Bridge\Orders\Backfill;
use Tillsync\Bridge\Orders\Drain;
use Tillsync\Bridge\Orders\DrainCall;
use Tillsync\Bridge\Orders\DrainJob;
use Tillsync\Bridge\Orders\OrderHook;
use Tillsync\Bridge\Orders\Sweep;
use Tillsync\Bridge\Schedule;
use Tillsync\Bridge\Schema\SchemaUpdater;
use Tillsync\Bridge\Types\RoleRun;
use Tillsync\Bridge\Types\RoleSync;
use Tillsync\Bridge\Types\TypeDiscount;
use Tillsync\Bridge\Updates\PluginUpdates;
use Tillsync\Bridge\Users\UserChanges;
use Tillsync\Bridge\Users\UserHooks;

/**
 * Adds the hooks that a shopper's page may fire too: orders change, users register, passwords are set. Scheduled hooks are here as well.
 * Action Scheduler runs them within a visitor's request, and so does WordPress with ALTERNATE_WP_CRON. A hook loads its class only when it
 * fires.
 */
final class EveryRequest {

	/**
	 * Query parameter of the link in a confirmation mail. It is defined here so that a page without it loads no class of the confirmation.
	 */
	public const CONFIRMATION_PARAMETER = 'tillsync_confirm';

	/**
	 * Functions that end the response while the request goes on. PHP's FPM and LiteSpeed have one. They are named here so that a request
	 * without them loads no class for it.
	 */
	public const END_OF_RESPONSE = array( 'fastcgi_finish_request', 'litespeed_finish_request' );

	/** This priority runs before the callbacks of other plugins, because a callback that throws ends its hook. */
	private const FIRST = PHP_INT_MIN;

	public static function add( LazyHooks $hooks, bool $has_woocommerce ): void {
		foreach ( array( Schedule::MINUTE, Schedule::HOURLY, Schedule::DAILY ) as $cron ) {
			$hooks->action( $cron, array( SchemaUpdater::class, 'check' ), 1, 0 );
		}
		$hooks->action( 'wp_initialize_site', array( SchemaUpdater::class, 'site_made' ), 900 );
		$hooks->filter( 'wpmu_drop_tables', array( SchemaUpdater::class, 'with_tables_of' ), 10, 2 );
		$hooks->filter( 'cron_schedules', static fn( $schedules = array() ) => Schedule::with_every_minute( $schedules ) ); // phpcs:ignore WordPress.WP.CronInterval
		$hooks->action( 'init', static fn() => Schedule::ensure_cron() );
		self::add_users( $hooks );
		self::add_updates( $hooks );
		if ( $has_woocommerce ) {
			self::add_shop( $hooks );
		}
	}

	/** Programs that manage many sites look for updates in requests of any kind, so these hooks are always there. */
	private static function add_updates( LazyHooks $hooks ): void {
		$is_check = static fn( $arguments = array(), $url = '' ) => is_string( $url ) && str_contains( $url, '//api.wordpress.org/plugins/update-check/' );
		$is_named = static function ( $value = null ): bool {
			$file = plugin_basename( \Tillsync\Bridge\PLUGIN_FILE );
			return is_object( $value ) && ( isset( $value->response[ $file ] ) || isset( $value->no_update[ $file ] ) || ! empty( $value->translations ) );
		};
		$hooks->filter( 'update_plugins_tillsync.invalid', array( PluginUpdates::class, 'offer' ), 10, 3 );
		$hooks->filter( 'http_request_args', array( PluginUpdates::class, 'without_plugin' ), PHP_INT_MAX, 2, $is_check );
		$hooks->filter( 'pre_set_site_transient_update_plugins', array( PluginUpdates::class, 'only_own' ), PHP_INT_MAX, 1, $is_named );
		$hooks->filter( 'site_transient_update_plugins', array( PluginUpdates::class, 'only_own' ), PHP_INT_MAX, 1, $is_named );
		$hooks->filter( 'plugins_api', array( PluginUpdates::class, 'information' ), 10, 3 );
		$hooks->filter( 'upgrader_pre_download', array( PluginUpdates::class, 'download' ), PHP_INT_MAX, 2 );
		$hooks->filter( 'upgrader_source_selection', array( PluginUpdates::class, 'check_folder' ), PHP_INT_MAX, 4 );
	}

	private static function add_users( LazyHooks $hooks ): void {
		// The hook fires before WordPress sets the password and removes the key.
		$hooks->action( 'password_reset', array( ConfirmationHooks::class, 'password_was_set' ) );
		$hooks->action( 'profile_update', array( ConfirmationHooks::class, 'profile_was_updated' ), 10, 2 );
		$hooks->action( 'profile_update', array( UserHooks::class, 'updated' ), 10, 2 );
		$hooks->action( 'woocommerce_customer_email_verified', array( ConfirmationHooks::class, 'woocommerce_verified' ) );
		// Priority 5 runs before the plugin's callbacks that delete the user's values, and before WooCommerce removes the user from orders.
		$hooks->action( 'delete_user', array( UserHooks::class, 'before_deletion' ), 5 );
		$hooks->action( 'deleted_user', array( UserHooks::class, 'after_deletion' ), 5 );
		$hooks->action( 'remove_user_from_blog', array( UserHooks::class, 'removed_from_site' ), 5 );
		foreach ( array( 'deleted_user', 'remove_user_from_blog' ) as $hook ) {
			$hooks->action( $hook, array( ShopUsers::class, 'forget' ) );
			$hooks->action( $hook, array( ConfirmationHooks::class, 'forget' ) );
		}
		$hooks->action( Schedule::HOURLY, array( UserChanges::class, 'trim' ), 10, 0 );
		$hooks->action( 'set_user_role', array( RoleSync::class, 'role_was_set' ), 20 );
		$hooks->action( Schedule::ROLES, array( RoleRun::class, 'run' ), 10, 0 );
		$hooks->action( Schedule::MINUTE, array( RoleRun::class, 'run' ), 20, 0 );
		$hooks->action( Schedule::DAILY, array( RoleRun::class, 'check_all' ), 10, 0 );
	}

	private static function add_shop( LazyHooks $hooks ): void {
		$hooks->action( 'woocommerce_order_status_changed', array( OrderHook::class, 'changed' ), 10, 4 );
		// The last callback: it ends the response.
		$hooks->action( 'shutdown', array( DrainCall::class, 'send' ), PHP_INT_MAX, 0, static fn() => 0 < did_action( 'tillsync_order_waits' ) && array() !== array_filter( self::END_OF_RESPONSE, 'function_exists' ) );
		$hooks->action( Schedule::DRAIN, array( Drain::class, 'run' ), 10, 0 );
		$hooks->action( Schedule::DUE, array( Drain::class, 'run' ), 10, 0 );
		$hooks->action( Schedule::MINUTE, array( DrainJob::class, 'minute' ), 10, 0 );
		$hooks->action( Schedule::HOURLY, array( Sweep::class, 'run' ), 10, 0 );
		$hooks->action( Schedule::BACKFILL, array( Backfill::class, 'run_portion' ), 10, 0 );
		$hooks->action( Schedule::DAILY, array( SiteSettings::class, 'refresh_in_background' ), 10, 0 );
		$hooks->action( Schedule::MINUTE, array( Digest::class, 'send_due' ), 30, 0 );
		$hooks->action( 'tillsync_order_answered', array( AlertTracker::class, 'answered' ), self::FIRST, 2 );
		$hooks->action( 'tillsync_order_refused', array( AlertTracker::class, 'refused' ), self::FIRST, 2 );
		$hooks->action( 'tillsync_outbox_paused', array( AlertTracker::class, 'paused' ), self::FIRST );
		$hooks->action( 'tillsync_outbox_resumed', array( AlertTracker::class, 'resumed' ), self::FIRST );
		$hooks->action( 'tillsync_disconnected', array( AlertTracker::class, 'disconnected' ), self::FIRST );
		$hooks->action( 'tillsync_connected', array( AlertTracker::class, 'connected' ), self::FIRST );
		$hooks->action( Schedule::HOURLY, array( AlertTracker::class, 'check_account' ), 30, 0 );
		$points = $hooks->factory( PointsDisplay::class );
		$hooks->action( 'init', static fn() => PointsDisplay::add_places( $points ) );
		$hooks->action( 'woocommerce_account_dashboard', array( PointsDisplay::class, 'print_place' ), 10, 0 );
		$hooks->filter( 'tillsync_customer_type_discount', array( TypeDiscount::class, 'discount' ), 5, 2 );
		$hooks->filter( 'woocommerce_email_classes', array( EmailParts::class, 'with_classes' ) );
		$hooks->filter( 'woocommerce_transactional_emails_for_block_editor', array( EmailParts::class, 'with_ids' ) );
		// Some WooCommerce versions look for a block-editor template only in their own folder.
		$is_ours = static fn( $file = '', $name = '' ) => is_string( $name ) && str_contains( $name, 'tillsync-' );
		$hooks->filter( 'woocommerce_locate_template', array( EmailParts::class, 'located' ), 10, 2, $is_ours );
		// phpcs:ignore WordPress.Security.NonceVerification.Recommended -- the link is signed.
		$is_followed = static fn() => isset( $_GET[ self::CONFIRMATION_PARAMETER ] );
		$hooks->action( 'template_redirect', array( ConfirmationPages::class, 'follow' ), 5, 0, $is_followed );
	}
}
