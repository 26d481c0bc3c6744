<?php
/** Templates and small functions. */

function wc_locate_template( $name, $template_path = '', $default_path = '' ) {
	$template_path = $template_path ? $template_path : WC()->template_path();
	$found         = locate_template( array( trailingslashit( $template_path ) . $name, $name ) );
	return apply_filters( 'woocommerce_locate_template', $found ? $found : ( $default_path ? $default_path : WC()->plugin_path() . '/templates/' ) . $name, $name, $template_path );
}

function wc_get_template( $name, $args = array(), $template_path = '', $default_path = '' ) {
	$file = apply_filters( 'wc_get_template', wc_locate_template( $name, $template_path, $default_path ), $name, $args, $template_path, $default_path );
	if ( ! file_exists( $file ) ) {
		_doing_it_wrong( __FUNCTION__, esc_html( "$file does not exist." ), '2.1' );
		return;
	}
	do_action( 'woocommerce_before_template_part', $name, $template_path, $file, $args );
	( static function ( $file, $args ) {
		extract( $args ); // phpcs:ignore
		include $file;
	} )( $file, $args );
	do_action( 'woocommerce_after_template_part', $name, $template_path, $file, $args );
}

function wc_get_template_html( $name, $args = array(), $template_path = '', $default_path = '' ) {
	ob_start();
	wc_get_template( $name, $args, $template_path, $default_path );
	return ob_get_clean();
}

function wc_clean( $value ) {
	return is_array( $value ) ? array_map( 'wc_clean', $value ) : ( is_scalar( $value ) ? sanitize_text_field( $value ) : $value );
}

function wc_string_to_bool( $value ) {
	return is_bool( $value ) ? $value : in_array( strtolower( (string) $value ), array( 'yes', 'true', '1' ), true );
}

function wc_bool_to_string( $value ) {
	return wc_string_to_bool( $value ) ? 'yes' : 'no';
}

function wc_help_tip( $tip, $allow_html = false ) {
	return '<span class="woocommerce-help-tip" tabindex="0" aria-label="' . esc_attr( wp_strip_all_tags( $tip ) ) . '"></span>';
}

function wc_format_datetime( $date, $format = '' ) {
	return $date instanceof WC_DateTime ? $date->date_i18n( $format ? $format : wc_date_format() ) : '';
}

function wc_date_format() {
	return get_option( 'date_format' );
}

function wc_time_format() {
	return get_option( 'time_format' );
}

function wc_price( $price, $args = array() ) {
	return '<span class="woocommerce-Price-amount amount"><bdi><span class="woocommerce-Price-currencySymbol">&pound;</span>' . number_format( (float) $price, 2 ) . '</bdi></span>';
}

function get_woocommerce_currency() {
	return get_option( 'woocommerce_currency', 'GBP' );
}

function get_woocommerce_currency_symbol( $currency = '' ) {
	return '&pound;';
}

function wc_get_price_decimals() {
	return 2;
}

function wc_rest_check_manager_permissions( $object, $context = 'read' ) {
	return current_user_can( 'manage_woocommerce' );
}

function wc_nocache_headers() {
	nocache_headers();
}
