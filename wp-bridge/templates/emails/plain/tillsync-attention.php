<?php
/**
 * Plain text mail "Orders and settings that need your review". Override: yourtheme/woocommerce/emails/plain/tillsync-attention.php
 *
 * @package Tillsync\Bridge
 * @var \Tillsync\Bridge\Health\Alert[] $causes             The new alerts.
 * @var string                          $email_heading      Heading.
 * @var string                          $additional_content The merchant's text.
 */

use Tillsync\Bridge\Health\AlertTexts;

defined( 'ABSPATH' ) || exit;

echo esc_html( wp_strip_all_tags( $email_heading ) ) . "\n\n";

foreach ( $causes as $tillsync_cause ) {
	$tillsync_lines = array(
		'* ' . AlertTexts::title( $tillsync_cause ),
		AlertTexts::what_to_do( $tillsync_cause ),
		...array_map( static fn( array $tillsync_order ) => trim( $tillsync_order['text'] . ' ' . $tillsync_order['url'] ), AlertTexts::orders( $tillsync_cause ) ),
		$tillsync_cause->text,
	);
	foreach ( array_filter( $tillsync_lines ) as $tillsync_line ) {
		echo esc_html( wp_strip_all_tags( $tillsync_line ) ) . "\n";
	}
	echo esc_html( AlertTexts::link( $tillsync_cause ) ) . ': ' . esc_url_raw( AlertTexts::url( $tillsync_cause ) ) . "\n\n";
}

if ( $additional_content ) {
	echo esc_html( wp_strip_all_tags( wptexturize( $additional_content ) ) ) . "\n";
}
