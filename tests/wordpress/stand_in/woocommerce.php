<?php
/**
 * Plugin Name: WooCommerce
 * Description: A stand-in for the tests of the bridge: only what the bridge uses, written from the notes, with the same traps. The conformance suite (../php/conformance) runs against this and against the real one.
 * Version: 10.5.1
 * Requires at least: 6.1
 */

define( 'WC_PLUGIN_FILE', __FILE__ );
define( 'WC_VERSION', '10.5.1' );
define( 'WOOCOMMERCE_VERSION', WC_VERSION );
define( 'WC_ABSPATH', __DIR__ . '/' );
define( 'TILLSYNC_WOOCOMMERCE_STAND_IN', true );

foreach ( array( 'data', 'features', 'orders', 'refunds', 'order-tables', 'order-posts', 'order-functions', 'order-notes', 'customers', 'action-scheduler', 'logger', 'settings', 'templates', 'shop-pages', 'checkout', 'order-screens', 'block-emails' ) as $wc_part ) {
	require __DIR__ . "/parts/$wc_part.php";
}

/** The object that WC() returns, with the members that the bridge uses. */
final class WooCommerce {
	public $version = WC_VERSION;
	/** @var WC_Integrations|null */
	public $integrations;
	/** @var WC_Emails|null */
	private $mailer;

	public static function instance() {
		static $one = null;
		return $one ?? $one = new self();
	}

	private function __construct() {
		add_action( 'init', array( $this, 'init' ), 0 );
		add_action( 'plugins_loaded', static fn() => do_action( 'woocommerce_loaded' ), -1 );
	}

	public function init() {
		do_action( 'before_woocommerce_init' );
		$this->integrations = new WC_Integrations();
		// This registers the hooks only. The first call of mailer() loads the email classes.
		foreach ( array( 'woocommerce_order_status_pending_to_processing', 'woocommerce_order_status_completed' ) as $hook ) {
			add_action( $hook, array( $this, 'mailer' ), 9, 0 );
		}
		do_action( 'woocommerce_init' );
	}

	public function mailer() {
		require_once __DIR__ . '/parts/emails.php';
		return $this->mailer ?? $this->mailer = new WC_Emails();
	}

	public function plugin_path() {
		return untrailingslashit( WC_ABSPATH );
	}

	public function plugin_url() {
		return untrailingslashit( plugins_url( '/', __FILE__ ) );
	}

	public function template_path() {
		return apply_filters( 'woocommerce_template_path', 'woocommerce/' );
	}

	public function is_rest_api_request() {
		return false !== strpos( (string) ( $_SERVER['REQUEST_URI'] ?? '' ), trailingslashit( rest_get_url_prefix() ) );
	}
}

function WC() {
	return WooCommerce::instance();
}
$GLOBALS['woocommerce'] = WC();

register_activation_hook(
	__FILE__,
	static function () {
		require_once ABSPATH . 'wp-admin/includes/upgrade.php';
		WC_Order_Tables::install();
		ActionScheduler::install();
		add_role( 'customer', 'Customer', array( 'read' => true ) );
		$manager = array_fill_keys( array( 'read', 'manage_woocommerce', 'view_woocommerce_reports', 'edit_shop_orders', 'edit_others_shop_orders', 'edit_shop_order', 'read_shop_order', 'delete_shop_orders', 'publish_shop_orders', 'edit_published_shop_orders', 'edit_private_shop_orders', 'read_private_shop_orders', 'list_users', 'edit_users', 'edit_posts', 'edit_pages', 'edit_others_posts', 'edit_published_posts', 'upload_files' ), true );
		add_role( 'shop_manager', 'Shop manager', $manager );
		foreach ( $manager as $capability => $granted ) {
			get_role( 'administrator' )->add_cap( $capability );
		}
		foreach ( array( 'myaccount' => '[woocommerce_my_account]', 'checkout' => '[woocommerce_checkout]', 'shop' => '' ) as $page => $content ) {
			if ( ! get_option( "woocommerce_{$page}_page_id" ) ) {
				update_option( "woocommerce_{$page}_page_id", wp_insert_post( array( 'post_title' => 'myaccount' === $page ? 'My account' : ucfirst( $page ), 'post_name' => 'myaccount' === $page ? 'my-account' : $page, 'post_content' => $content, 'post_status' => 'publish', 'post_type' => 'page' ) ) );
			}
		}
		add_option( 'woocommerce_custom_orders_table_enabled', 'yes' );
	}
);
