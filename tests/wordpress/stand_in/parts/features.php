<?php
/** Names of WooCommerce's namespaces that plugins use. */

namespace Automattic\WooCommerce\Utilities {

	final class FeaturesUtil {
		public static function declare_compatibility( $feature, $file, $positive = true ) {
			$GLOBALS['tillsync_declared'][ $feature ][ plugin_basename( $file ) ] = $positive;
			return true;
		}

		public static function feature_is_enabled( $feature ) {
			return 'custom_order_tables' === $feature && OrderUtil::custom_orders_table_usage_is_enabled();
		}
	}

	final class OrderUtil {
		public static function custom_orders_table_usage_is_enabled() {
			return 'yes' === get_option( 'woocommerce_custom_orders_table_enabled' );
		}

		public static function get_order_type( $order_id ) {
			$order = wc_get_order( $order_id );
			return $order ? $order->get_type() : null;
		}

		public static function is_order( $order_id, $types = array( 'shop_order' ) ) {
			return in_array( self::get_order_type( $order_id ), $types, true );
		}

		public static function get_order_admin_screen() {
			return self::custom_orders_table_usage_is_enabled() && is_admin() ? wc_get_page_screen_id( 'shop-order' ) : 'shop_order';
		}

		public static function get_order_admin_edit_url( $order_id ) {
			return self::custom_orders_table_usage_is_enabled() ? admin_url( 'admin.php?page=wc-orders&action=edit&id=' . absint( $order_id ) ) : admin_url( 'post.php?post=' . absint( $order_id ) . '&action=edit' );
		}

		public static function get_post_or_order_id( $given ) {
			return $given instanceof \WC_Abstract_Order ? $given->get_id() : ( $given instanceof \WP_Post ? $given->ID : (int) $given );
		}

		public static function init_theorder_object( $given ) {
			$GLOBALS['theorder'] = $given instanceof \WC_Order ? $given : wc_get_order( self::get_post_or_order_id( $given ) );
			return $GLOBALS['theorder'];
		}
	}
}

namespace Automattic\WooCommerce\Internal\DataStores\Orders {

	class CustomOrdersTableController {
		public function custom_orders_table_usage_is_enabled() {
			return \Automattic\WooCommerce\Utilities\OrderUtil::custom_orders_table_usage_is_enabled();
		}
	}
}

namespace {

	function wc_get_container() {
		return new class() {
			public function get( $class ) {
				return new $class();
			}
		};
	}

	// The real function exists in wp-admin only, too.
	if ( is_admin() ) {
		function wc_get_page_screen_id( $for ) {
			if ( 'shop-order' !== str_replace( '_', '-', $for ) ) {
				return '';
			}
			if ( ! Automattic\WooCommerce\Utilities\OrderUtil::custom_orders_table_usage_is_enabled() ) {
				return 'shop_order';
			}
			return current_user_can( 'edit_others_shop_orders' ) ? 'woocommerce_page_wc-orders' : 'admin_page_wc-orders';
		}

		function wc_get_screen_ids() {
			return apply_filters( 'woocommerce_screen_ids', array( 'toplevel_page_woocommerce', 'woocommerce_page_wc-settings', 'woocommerce_page_wc-orders', 'shop_order', 'edit-shop_order', 'profile', 'user-edit' ) );
		}
	}
}
