<?php
/**
 * Plain text mail "Confirm your email". Override: yourtheme/woocommerce/emails/plain/tillsync-confirmation.php
 *
 * @package Tillsync\Bridge
 * @var string $url                Address of the link.
 * @var string $email_heading      Heading.
 * @var string $additional_content The merchant's text.
 */

defined( 'ABSPATH' ) || exit;

echo esc_html( wp_strip_all_tags( $email_heading ) ) . "\n\n";
esc_html_e( 'Somebody with an account in our shop gave this email. If that was you, follow this link while you are logged in, and your points are shown to you:', 'tillsync-bridge' );
echo "\n\n" . esc_url_raw( $url ) . "\n\n";
esc_html_e( 'The link is good for two days. If you have no account in our shop, do nothing.', 'tillsync-bridge' );
echo "\n\n";

if ( $additional_content ) {
	echo esc_html( wp_strip_all_tags( wptexturize( $additional_content ) ) ) . "\n";
}
