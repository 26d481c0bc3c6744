<?php
/**
 * The panel on a user's profile.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Customers;

use Tillsync\Bridge\Confirmation\ConfirmationActions;
use Tillsync\Bridge\Confirmation\Confirmations;
use Tillsync\Bridge\Connection\CopyGuard;
use Tillsync\Bridge\Rest\AdminGate;
use Tillsync\Bridge\Screens\SharedScript;
use Tillsync\Bridge\Types\CustomerType;
use Tillsync\Bridge\Types\TypeTable;
use WP_User;

/** Shows the stored points, credit, type and their time. It loads the link from the service when a person asks for it. */
final class ProfilePanel {

	private const SCRIPT = 'tillsync-profile';

	public function __construct(
		private readonly Confirmations $confirmations,
		private readonly CustomerTable $customers,
		private readonly CopyGuard $copy_guard,
		private readonly TypeTable $types
	) {}

	/** @param mixed $user The shown user. */
	public function show( $user = null ): void {
		if ( ! $user instanceof WP_User || ! LinkRoutes::is_allowed( $user->ID ) ) {
			return;
		}
		$row          = $this->customers->find( $user->ID );
		$is_connected = null !== $this->copy_guard->usable();
		if ( null === $row && ! $is_connected ) {
			return;
		}
		echo '<h2 id="tillsync">' . esc_html__( 'At the till', 'tillsync-bridge' ) . '</h2>';
		echo '<table class="form-table tillsync-profile" role="presentation">';
		if ( null === $row ) {
			$this->line( __( 'Values', 'tillsync-bridge' ), esc_html__( 'The shop has no values of this customer from the till yet.', 'tillsync-bridge' ) );
		} else {
			$type = null === $row->type_id ? null : $this->types->read( $row->type_id );
			$this->line( __( 'Points', 'tillsync-bridge' ), esc_html( PointsText::points( $row->points ) ) );
			$this->line( __( 'Credit', 'tillsync-bridge' ), esc_html( PointsText::credit( $row->credit ) ) );
			$this->line( __( 'Customer type', 'tillsync-bridge' ), null === $row->type_id ? esc_html__( 'none', 'tillsync-bridge' ) : esc_html( CustomerType::label( $row->type_id, $type ) ) );
			$time = sprintf( '<time datetime="%s">%s</time>', esc_attr( PointsText::machine_time( $row->as_of ) ), esc_html( PointsText::time( $row->as_of ) ) );
			$this->line( __( 'Last changed', 'tillsync-bridge' ), $time );
		}
		if ( $is_connected ) {
			$this->line( __( 'Email', 'tillsync-bridge' ), $this->email( $user ) );
			$this->enqueue();
			$place = sprintf( '<div class="tillsync-profile-link" data-user="%d"><button type="button" class="button tillsync-profile-show">%s</button></div>', $user->ID, esc_html__( 'Show the link', 'tillsync-bridge' ) );
			$this->line( __( 'Link', 'tillsync-bridge' ), $place );
		}
		echo '</table>';
	}

	/** Returns the confirmation state of the email and, without one, a link to confirm it. The HTML is escaped. */
	private function email( WP_User $user ): string {
		$words = esc_html( $this->confirmations->label( $user ) );
		if ( $this->confirmations->is_confirmed( $user->ID ) ) {
			return $words;
		}
		return sprintf( '%s <a class="button" href="%s">%s</a>', $words, esc_url( ConfirmationActions::url( $user->ID ) ), esc_html__( 'Email confirmed', 'tillsync-bridge' ) );
	}

	/** @param string $html Escaped HTML. */
	private function line( string $name, string $html ): void {
		printf( '<tr><th scope="row">%s</th><td>%s</td></tr>', esc_html( $name ), $html ); // phpcs:ignore WordPress.Security.EscapeOutput -- escaped by the callers.
	}

	private function enqueue(): void {
		$assets = plugins_url( 'assets/', \Tillsync\Bridge\PLUGIN_FILE );
		wp_enqueue_style( 'tillsync-bridge', $assets . 'tillsync.css', array(), \Tillsync\Bridge\VERSION );
		wp_enqueue_style( self::SCRIPT, $assets . 'points-profile.css', array( 'tillsync-bridge' ), \Tillsync\Bridge\VERSION );
		wp_enqueue_script( self::SCRIPT, $assets . 'points-profile.js', array( SharedScript::handle() ), \Tillsync\Bridge\VERSION, true );
		$words = array(
			'loading'  => __( 'One moment …', 'tillsync-bridge' ),
			'linked'   => __( 'Linked to this till customer:', 'tillsync-bridge' ),
			'broken'   => __( 'The link is broken: one of the two customers is gone. The next order matches again.', 'tillsync-bridge' ),
			'unlinked' => __( 'Not linked to a till customer.', 'tillsync-bridge' ),
			'unlink'   => __( 'Unlink', 'tillsync-bridge' ),
			'sure'     => __( 'Unlink this customer? Points and credit disappear from the shop. Sales already at the till do not move.', 'tillsync-bridge' ),
			'search'   => __( 'Link to a till customer: number, email or name', 'tillsync-bridge' ),
			'find'     => __( 'Search', 'tillsync-bridge' ),
			'link'     => __( 'Link', 'tillsync-bridge' ),
			'none'     => __( 'The till has no such customer.', 'tillsync-bridge' ),
			'more'     => __( 'There are more: make the search narrower.', 'tillsync-bridge' ),
			'taken'    => __( 'linked to another shopper', 'tillsync-bridge' ),
			'card'     => __( 'Card', 'tillsync-bridge' ),
			'points'   => __( 'Points', 'tillsync-bridge' ),
			'balance'  => __( 'Balance', 'tillsync-bridge' ),
			'since'    => __( 'Since', 'tillsync-bridge' ),
			'failed'   => __( 'That did not work: try again.', 'tillsync-bridge' ),
			'expired'  => __( 'Your session has expired. Reload the page and try again.', 'tillsync-bridge' ),
		);
		wp_add_inline_script( self::SCRIPT, 'window.tillsyncProfile = ' . wp_json_encode( array( 'namespace' => AdminGate::NAMESPACE, 'words' => $words ), JSON_HEX_TAG ) . ';', 'before' );
	}
}
