<?php
/**
 * Points of the logged-in shopper.
 *
 * To change it, copy this file to yourtheme/tillsync-bridge/tillsync-points.php. A shopper whose email is not confirmed gets the template
 * tillsync-confirm-email.php instead.
 *
 * @package Tillsync\Bridge
 * @version 0.2.0
 *
 * @var string      $state         points, no_points (linked, and the till has no points), not_linked, or empty while nothing is synced.
 * @var string      $email         Email of the shopper's account.
 * @var string|null $points        The points, in the language of the page; null when they are not known.
 * @var string      $as_of         Date and time of the till read.
 * @var string      $as_of_machine The same for the attribute datetime.
 */

defined( 'ABSPATH' ) || exit;

if ( 'no_points' === $state ) {
	echo '<p class="tillsync-points-none">' . esc_html__( 'You have no points yet. You collect them in our store.', 'tillsync-bridge' ) . '</p>';
	return;
}
if ( 'not_linked' === $state ) {
	echo '<p class="tillsync-points-none">' . esc_html(
		sprintf(
			/* translators: %s: email address of the shopper */
			__( 'Your account is not linked to a customer of our store yet. If our store knows you by %s, your points appear here after your next order.', 'tillsync-bridge' ),
			$email
		)
	) . '</p>';
	return;
}
if ( null === $points ) {
	return;
}
?>
<p class="tillsync-points-balance">
	<?php
	printf(
		/* translators: %s: number of points */
		esc_html__( 'Your points: %s', 'tillsync-bridge' ),
		'<strong class="tillsync-points-number">' . esc_html( $points ) . '</strong>'
	);
	?>
</p>
<p class="tillsync-points-time">
	<?php
	printf(
		/* translators: %s: date and time */
		esc_html__( 'As of %s', 'tillsync-bridge' ),
		'<time datetime="' . esc_attr( $as_of_machine ) . '">' . esc_html( $as_of ) . '</time>'
	);
	?>
</p>
<p class="tillsync-points-hint"><?php esc_html_e( 'You can spend your points in our store.', 'tillsync-bridge' ); ?></p>
