<?php
/**
 * Notices of what waits for the merchant.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Screens;

use Tillsync\Bridge\Connection\CopyGuard;
use Tillsync\Bridge\Health\Cause;
use Tillsync\Bridge\Health\Causes;
use Tillsync\Bridge\Health\CauseWords;
use Tillsync\Bridge\Rest\AdminGate;

/**
 * On our own screens, the lists of orders and the plugins screen; nowhere else. One notice per cause, each dismissed by itself and for one
 * user; it closes itself when its cause is gone. What is shown is stored here: no screen waits for the service.
 */
final class Notices {

	private const SCRIPT = 'tillsync-bridge-notices';

	/** More persons than these share one notice. */
	private const PERSONS_SHOWN = 3;

	public function __construct( private readonly Causes $causes, private readonly CopyGuard $copy_guard ) {}

	public function show(): void {
		$screen = function_exists( 'get_current_screen' ) ? get_current_screen() : null;
		if ( null === $screen || ! current_user_can( AdminGate::CAPABILITY ) || ! $this->is_ours( $screen->id ) ) {
			return;
		}
		$user_id = get_current_user_id();
		$causes  = array_filter( $this->causes->all(), static fn( Cause $cause ) => ! in_array( $user_id, $cause->dismissed_by, true ) );
		if ( $this->copy_guard->must_choose() ) {
			$causes = array_filter( $causes, static fn( Cause $cause ) => Cause::COPY !== $cause->code );
			// True at this very moment, so it cannot be dismissed.
			array_unshift( $causes, new Cause( Cause::COPY, Cause::COPY ) );
		} else {
			$causes = array_filter( $causes, static fn( Cause $cause ) => Cause::COPY !== $cause->code );
		}
		if ( 'woocommerce_page_' . QueuesPage::SLUG === $screen->id ) {
			// The page itself says how the account is at this moment.
			$causes = array_filter( $causes, static fn( Cause $cause ) => Cause::ACCOUNT_PROBLEM !== $cause->code );
		}
		$persons = array_values( array_filter( $causes, static fn( Cause $cause ) => $cause->is_of_person() ) );
		$shown   = array_merge( array_filter( $causes, static fn( Cause $cause ) => ! $cause->is_of_person() ), array_slice( $persons, 0, self::PERSONS_SHOWN ) );
		foreach ( $shown as $cause ) {
			$this->notice( $cause );
		}
		$more = count( $persons ) - self::PERSONS_SHOWN;
		if ( $more > 0 ) {
			/* translators: %d: number of persons */
			printf( '<div class="notice notice-warning tillsync-notice"><p>%s <a href="%s">%s</a></p></div>', esc_html( sprintf( _n( 'Orders of %d more person wait for you.', 'Orders of %d more persons wait for you.', $more, 'tillsync-bridge' ), $more ) ), esc_url( QueuesPage::url( array( 'queue' => 'orders', 'state' => 'held' ) ) ), esc_html__( 'See them all', 'tillsync-bridge' ) );
		}
		if ( array() !== $shown ) {
			wp_enqueue_script( self::SCRIPT, plugins_url( 'assets/notices.js', \Tillsync\Bridge\PLUGIN_FILE ), array( 'wp-api-fetch' ), \Tillsync\Bridge\VERSION, true );
			wp_add_inline_script( self::SCRIPT, 'window.tillsyncNotices = ' . wp_json_encode( array( 'path' => AdminGate::NAMESPACE . '/notices/dismiss' ), JSON_HEX_TAG ) . ';', 'before' );
		}
	}

	private function notice( Cause $cause ): void {
		$serious = in_array( $cause->code, array( Cause::REFUSED, Cause::ACCOUNT_PROBLEM ), true );
		printf(
			'<div class="notice notice-%s %s tillsync-notice" data-tillsync-cause="%s"><p><strong>Tillsync: %s.</strong> %s</p>',
			$serious ? 'error' : 'warning',
			Cause::COPY === $cause->code ? '' : 'is-dismissible',
			esc_attr( $cause->key ),
			esc_html( CauseWords::title( $cause ) ),
			esc_html( CauseWords::what_to_do( $cause ) )
		);
		if ( '' !== $cause->text ) {
			echo '<p lang="en" dir="ltr">' . esc_html( $cause->text ) . '</p>';
		}
		$orders = CauseWords::orders( $cause );
		printf( '<p>%s<a href="%s">%s</a></p></div>', '' === $orders ? '' : esc_html( $orders ) . ' · ', esc_url( CauseWords::url( $cause ) ), esc_html__( 'Put it right', 'tillsync-bridge' ) );
	}

	private function is_ours( string $screen_id ): bool {
		$orders = function_exists( 'wc_get_page_screen_id' ) ? wc_get_page_screen_id( 'shop-order' ) : 'shop_order';
		if ( in_array( $screen_id, array( 'woocommerce_page_' . QueuesPage::SLUG, 'woocommerce_page_tillsync-types', 'edit-shop_order', 'shop_order', $orders, 'plugins' ), true ) ) {
			return true;
		}
		// phpcs:ignore WordPress.Security.NonceVerification -- which screen it is.
		return 'woocommerce_page_wc-settings' === $screen_id && Integration::ID === ( $_GET['section'] ?? '' );
	}
}
