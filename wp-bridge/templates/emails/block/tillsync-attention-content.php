<?php
/**
 * List of alerts for the mail "Orders and settings that need your review", in HTML and in the block editor's mail.
 * Override: yourtheme/woocommerce/emails/block/tillsync-attention-content.php
 *
 * @package Tillsync\Bridge
 * @var \Tillsync\Bridge\Health\Alert[] $causes The new alerts; none in the editor's preview.
 */

use Tillsync\Bridge\Health\AlertTexts;

defined( 'ABSPATH' ) || exit;

if ( empty( $causes ) ) {
	echo '<p>' . esc_html__( 'Here stands what waits, what to do about it, and a link to where it is put right.', 'tillsync-bridge' ) . '</p>';
	return;
}
foreach ( $causes as $tillsync_cause ) {
	?>
	<h2><?php echo esc_html( AlertTexts::title( $tillsync_cause ) ); ?></h2>
	<p><?php echo esc_html( AlertTexts::what_to_do( $tillsync_cause ) ); ?></p>
	<?php if ( array() !== $tillsync_cause->order_ids ) : ?>
		<p><?php echo wp_kses_post( AlertTexts::orders_html( $tillsync_cause ) ); ?></p>
	<?php endif; ?>
	<?php if ( '' !== $tillsync_cause->text ) : ?>
		<p lang="en" dir="ltr"><?php echo esc_html( $tillsync_cause->text ); ?></p>
	<?php endif; ?>
	<p><a href="<?php echo esc_url( AlertTexts::url( $tillsync_cause ) ); ?>"><?php echo esc_html( AlertTexts::link( $tillsync_cause ) ); ?></a></p>
	<?php
}
