<?php
/** My account: the page, its dashboard and the account details. */

function wc_get_page_id( $page ) {
	return (int) get_option( "woocommerce_{$page}_page_id", -1 );
}

function wc_get_page_permalink( $page, $fallback = null ) {
	$id = wc_get_page_id( $page );
	return $id > 0 ? get_permalink( $id ) : ( $fallback ?? get_home_url() );
}

function wc_get_endpoint_url( $endpoint, $value = '', $permalink = '' ) {
	return trailingslashit( trailingslashit( $permalink ? $permalink : get_permalink() ) . $endpoint . ( '' === $value ? '' : "/$value" ) );
}

function wc_get_account_endpoint_url( $endpoint ) {
	return 'dashboard' === $endpoint ? wc_get_page_permalink( 'myaccount' ) : wc_get_endpoint_url( $endpoint, '', wc_get_page_permalink( 'myaccount' ) );
}

function is_account_page() {
	return is_page( wc_get_page_id( 'myaccount' ) );
}

function is_checkout() {
	return is_page( wc_get_page_id( 'checkout' ) );
}

function is_woocommerce() {
	return false;
}

function is_wc_endpoint_url( $endpoint = false ) {
	return false;
}

function wc_add_notice( $message, $notice_type = 'success', $data = array() ) {}

function wc_print_notices( $return = false ) {}

function wc_notice_count( $type = '' ) {
	return 0;
}

add_shortcode(
	'woocommerce_my_account',
	static function () {
		if ( ! is_user_logged_in() ) {
			return '<div class="woocommerce"><h2>Login</h2></div>';
		}
		ob_start();
		echo '<div class="woocommerce"><div class="woocommerce-MyAccount-content"><p>Hello ' . esc_html( wp_get_current_user()->display_name ) . '</p>';
		do_action( 'woocommerce_account_dashboard' );
		echo '</div></div>';
		return ob_get_clean();
	}
);
