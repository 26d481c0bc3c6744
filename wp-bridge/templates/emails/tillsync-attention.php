<?php
/**
 * HTML mail "Orders and settings that need your review". Override: yourtheme/woocommerce/emails/tillsync-attention.php
 *
 * @package Tillsync\Bridge
 * @var \Tillsync\Bridge\Health\Alert[] $causes             The new alerts.
 * @var string                          $email_heading      Heading.
 * @var string                          $additional_content The merchant's text.
 * @var WC_Email                        $email              The mail.
 */

defined( 'ABSPATH' ) || exit;

do_action( 'woocommerce_email_header', $email_heading, $email );

wc_get_template( 'emails/block/tillsync-attention-content.php', array( 'causes' => $causes, 'email' => $email ), '', $email->template_base );

if ( $additional_content ) {
	echo wp_kses_post( wpautop( wptexturize( $additional_content ) ) );
}

do_action( 'woocommerce_email_footer', $email );
