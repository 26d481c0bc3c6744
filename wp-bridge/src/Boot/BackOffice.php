<?php
/**
 * Hooks of back-office requests.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Boot;

use Tillsync\Bridge\Cli\CommandTools;
use Tillsync\Bridge\Cli\TillsyncCommand;
use Tillsync\Bridge\Confirmation\ConfirmationActions;
use Tillsync\Bridge\Connection\ConnectionStore;
use Tillsync\Bridge\Connection\ConstantConnect;
use Tillsync\Bridge\Customers\ProfilePanel;
use Tillsync\Bridge\Health\DebugInfo;
use Tillsync\Bridge\Health\SiteHealth;
use Tillsync\Bridge\Orders\DrainJob;
use Tillsync\Bridge\Orders\OrderActions;
use Tillsync\Bridge\Orders\OrderColumn;
use Tillsync\Bridge\Orders\OrderListRows;
use Tillsync\Bridge\Orders\OrderListTools;
use Tillsync\Bridge\Orders\OrderPanel;
use Tillsync\Bridge\Plugin;
use Tillsync\Bridge\Privacy\PolicyText;
use Tillsync\Bridge\Privacy\PrivacyTools;
use Tillsync\Bridge\Schema\SchemaUpdater;
use Tillsync\Bridge\Screens\Notices;
use Tillsync\Bridge\Screens\QueuesPage;
use Tillsync\Bridge\Screens\SettingsActions;
use Tillsync\Bridge\Screens\SettingsIntegration;
use Tillsync\Bridge\Screens\TypesActions;
use Tillsync\Bridge\Screens\TypesScreen;

/** Adds the hooks of screens and tools. They load in wp-admin and for REST, cron and the command line, not on a shopper's page. */
final class BackOffice {

	public static function add( LazyHooks $hooks, bool $has_woocommerce ): void {
		$hooks->action( 'admin_init', array( SchemaUpdater::class, 'check' ), 5, 0 );
		if ( ! $has_woocommerce ) {
			return;
		}
		self::add_users( $hooks );
		self::add_orders( $hooks );
		self::add_screens( $hooks );
		$hooks->filter( 'site_status_tests', array( SiteHealth::class, 'with_tests' ) );
		$hooks->filter( 'debug_information', array( DebugInfo::class, 'with_section' ) );
		// Priority 1 runs before WooCommerce's eraser, which removes the email from orders. The tools find orders by that email.
		$hooks->filter( 'wp_privacy_personal_data_exporters', array( PrivacyTools::class, 'with_exporter' ), 1 );
		$hooks->filter( 'wp_privacy_personal_data_erasers', array( PrivacyTools::class, 'with_eraser' ), 1 );
		$hooks->action( 'admin_init', static fn() => PolicyText::suggest() );
		if ( Plugin::is_command_line() ) {
			\WP_CLI::add_command( 'tillsync', new TillsyncCommand( $hooks->factory( CommandTools::class ) ) );
		}
	}

	private static function add_users( LazyHooks $hooks ): void {
		$hooks->action( 'show_user_profile', array( ProfilePanel::class, 'show' ), 30 );
		$hooks->action( 'edit_user_profile', array( ProfilePanel::class, 'show' ), 30 );
		$hooks->filter( 'user_row_actions', array( ConfirmationActions::class, 'with_row_action' ), 10, 2 );
		$hooks->filter( 'bulk_actions-users', array( ConfirmationActions::class, 'with_bulk_action' ) );
		$hooks->filter( 'handle_bulk_actions-users', array( ConfirmationActions::class, 'bulk' ), 10, 3 );
		$confirmations = $hooks->factory( ConfirmationActions::class );
		add_action( 'admin_post_' . ConfirmationActions::ACTION, static fn() => $confirmations()->confirm_one() );
		// phpcs:ignore WordPress.Security.NonceVerification.Recommended -- only tests whether a message is to be shown.
		$is_told = static fn() => isset( $_GET[ ConfirmationActions::COUNT_PARAMETER ] );
		$hooks->action( 'admin_notices', array( ConfirmationActions::class, 'show_notice' ), 10, 0, $is_told );
	}

	private static function add_orders( LazyHooks $hooks ): void {
		$may_kick = static fn() => ! wp_doing_ajax() && current_user_can( 'manage_woocommerce' ) && get_option( ConnectionStore::ACTIVE );
		$hooks->action( 'admin_init', array( DrainJob::class, 'kick_if_due' ), 20, 0, $may_kick );
		$is_unconnected = static fn() => is_admin() && ! wp_doing_ajax() && defined( 'TILLSYNC_CONNECT' ) && ! get_option( ConnectionStore::ACTIVE ) && current_user_can( 'manage_woocommerce' );
		$hooks->action( 'shutdown', array( ConstantConnect::class, 'run_after_page' ), PHP_INT_MAX, 0, $is_unconnected );
		$hooks->filter( 'woocommerce_order_actions', array( OrderActions::class, 'with_action' ), 10, 2 );
		$hooks->action( 'woocommerce_order_action_' . OrderActions::ACTION, array( OrderActions::class, 'match_from_list' ) );
		$hooks->action( 'add_meta_boxes', array( OrderPanel::class, 'add_box' ), 10, 0 );
		foreach ( array( 'manage_edit-shop_order_columns', 'manage_woocommerce_page_wc-orders_columns' ) as $columns ) {
			$hooks->filter( $columns, array( OrderColumn::class, 'with_column' ), 20 );
		}
		foreach ( array( 'manage_shop_order_posts_custom_column', 'manage_woocommerce_page_wc-orders_custom_column' ) as $column ) {
			$hooks->action( $column, array( OrderColumn::class, 'show' ), 10, 2 );
			$hooks->action( $column, array( OrderColumn::class, 'show_in_first' ), 20, 2 );
		}
		$hooks->action( 'admin_enqueue_scripts', static fn() => OrderColumn::style() );
		self::add_order_lists( $hooks );
	}

	/** The hooks of both lists: HPOS, and orders as posts. */
	private static function add_order_lists( LazyHooks $hooks ): void {
		$is_list = static fn() => OrderColumn::is_list();
		$hooks->filter( 'woocommerce_order_query', array( OrderListRows::class, 'note_orders' ), 10, 1, $is_list );
		$hooks->filter( 'the_posts', array( OrderListRows::class, 'note_posts' ), 10, 1, $is_list );
		$hooks->action( 'woocommerce_order_list_table_restrict_manage_orders', array( OrderListTools::class, 'print_filter' ), 20, 2 );
		$hooks->action( 'restrict_manage_posts', array( OrderListTools::class, 'print_filter' ), 20, 2 );
		// phpcs:ignore WordPress.Security.NonceVerification.Recommended -- only tests whether a filter is chosen.
		$is_filtered = static fn() => ! empty( $_GET[ OrderListTools::FILTER ] );
		$hooks->filter( 'woocommerce_order_list_table_prepare_items_query_args', array( OrderListTools::class, 'limit_orders' ), 20, 1, $is_filtered );
		$hooks->filter( 'request', array( OrderListTools::class, 'limit_posts' ), 20, 1, $is_filtered );
		foreach ( array( 'edit-shop_order', 'woocommerce_page_wc-orders' ) as $screen ) {
			$hooks->filter( "bulk_actions-{$screen}", array( OrderListTools::class, 'with_bulk_action' ), 20 );
			$hooks->filter( "handle_bulk_actions-{$screen}", array( OrderListTools::class, 'bulk' ), 10, 3 );
		}
		// phpcs:ignore WordPress.Security.NonceVerification.Recommended -- only tests whether a message is to be shown.
		$is_told = static fn() => isset( $_GET[ OrderListTools::COUNT ] );
		$hooks->action( 'admin_notices', array( OrderListTools::class, 'show_notice' ), 10, 0, $is_told );
		$hooks->filter( 'woocommerce_admin_order_preview_get_order_details', array( OrderListTools::class, 'with_preview' ), 20, 2 );
		$hooks->action( 'woocommerce_admin_order_preview_end', static fn() => OrderListTools::print_preview() );
	}

	private static function add_screens( LazyHooks $hooks ): void {
		$hooks->action( 'admin_menu', array( QueuesPage::class, 'add_page' ), 56, 0 );
		$types = $hooks->factory( TypesScreen::class );
		$hooks->action( 'admin_menu', static fn() => TypesScreen::add_page( $types ), 60 );
		// WooCommerce loads its styles and scripts only on its own screens, so the page is added to them.
		$hooks->filter( 'woocommerce_screen_ids', array( QueuesPage::class, 'with_screen_id' ) );
		$hooks->action( 'admin_notices', array( Notices::class, 'show' ), 10, 0 );
		$hooks->filter( 'woocommerce_integrations', array( SettingsIntegration::class, 'with_integration' ) );
		$hooks->filter( 'plugin_action_links_' . plugin_basename( \Tillsync\Bridge\PLUGIN_FILE ), array( SettingsIntegration::class, 'with_link' ) );
		$settings = $hooks->factory( SettingsActions::class );
		foreach ( SettingsActions::ACTIONS as $name ) {
			add_action( 'admin_post_' . SettingsActions::PREFIX . $name, static fn() => $settings()->handle( $name ) );
		}
		$saving = $hooks->factory( TypesActions::class );
		add_action( 'admin_post_' . TypesActions::SAVE_MAP, static fn() => $saving()->save_map() );
		add_action( 'admin_post_' . TypesActions::SAVE_POINTS, static fn() => $saving()->save_points() );
	}
}
