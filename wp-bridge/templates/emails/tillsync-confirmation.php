<?php
/**
 * HTML mail "Confirm your email". Override: yourtheme/woocommerce/emails/tillsync-confirmation.php
 *
 * @package Tillsync\Bridge
 * @var string   $url                Address of the link.
 * @var string   $email_heading      Heading.
 * @var string   $additional_content The merchant's text.
 * @var WC_Email $email              The mail.
 */

defined( 'ABSPATH' ) || exit;

do_action( 'woocommerce_email_header', $email_heading, $email );

wc_get_template( 'emails/block/tillsync-confirmation-content.php', array( 'url' => $url, 'email' => $email ), '', $email->template_base );

if ( $additional_content ) {
	echo wp_kses_post( wpautop( wptexturize( $additional_content ) ) );
}

do_action( 'woocommerce_email_footer', $email );
