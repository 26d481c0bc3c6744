<?php
/**
 * Notices of alerts.
 *
 * @package Tillsync\Bridge
 */

declare(strict_types=1);

namespace Tillsync\Bridge\Screens;

use Tillsync\Bridge\Connection\CopyGuard;
use Tillsync\Bridge\Health\Alert;
use Tillsync\Bridge\Health\Alerts;
use Tillsync\Bridge\Health\AlertTexts;
use Tillsync\Bridge\Rest\AdminGate;

/**
 * Shows one notice per alert on the plugin's screens, the order lists and the plugins screen. A user dismisses each notice separately, and
 * only for that user. The notice disappears when its alert closes. All shown data is stored in this site, so no screen waits for the
 * service.
 */
final class Notices {

	private const SCRIPT = 'tillsync-bridge-notices';

	/** Number of persons with a notice of their own. Further persons share one notice. */
	private const PERSONS_SHOWN = 3;

	public function __construct( private readonly Alerts $alerts, private readonly CopyGuard $copy_guard ) {}

	public function show(): void {
		$screen = function_exists( 'get_current_screen' ) ? get_current_screen() : null;
		if ( null === $screen || ! current_user_can( AdminGate::CAPABILITY ) || ! $this->is_ours( $screen->id ) ) {
			return;
		}
		$user_id = get_current_user_id();
		$alerts  = array_filter( $this->alerts->all(), static fn( Alert $alert ) => ! in_array( $user_id, $alert->dismissed_by, true ) );
		if ( $this->copy_guard->must_choose() ) {
			$alerts = array_filter( $alerts, static fn( Alert $alert ) => Alert::COPY !== $alert->code );
			// This condition holds at this moment, so the notice cannot be dismissed.
			array_unshift( $alerts, new Alert( Alert::COPY, Alert::COPY ) );
		} else {
			$alerts = array_filter( $alerts, static fn( Alert $alert ) => Alert::COPY !== $alert->code );
		}
		if ( 'woocommerce_page_' . QueuesPage::SLUG === $screen->id ) {
			// The page itself shows the account's present problem.
			$alerts = array_filter( $alerts, static fn( Alert $alert ) => Alert::ACCOUNT_PROBLEM !== $alert->code );
		}
		$persons = array_values( array_filter( $alerts, static fn( Alert $alert ) => $alert->is_of_person() ) );
		$shown   = array_merge( array_filter( $alerts, static fn( Alert $alert ) => ! $alert->is_of_person() ), array_slice( $persons, 0, self::PERSONS_SHOWN ) );
		foreach ( $shown as $alert ) {
			$this->notice( $alert );
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

	private function notice( Alert $alert ): void {
		$serious = in_array( $alert->code, array( Alert::REFUSED, Alert::ACCOUNT_PROBLEM ), true );
		printf(
			// WooCommerce's styles take the room of the button that dismisses a notice.
			'<div class="notice notice-%s %s tillsync-notice" style="padding-inline-end: 48px" data-tillsync-cause="%s"><p><strong>Tillsync: %s.</strong> %s</p>',
			$serious ? 'error' : 'warning',
			Alert::COPY === $alert->code ? '' : 'is-dismissible',
			esc_attr( $alert->key ),
			esc_html( AlertTexts::title( $alert ) ),
			esc_html( AlertTexts::what_to_do( $alert ) )
		);
		if ( '' !== $alert->text ) {
			echo '<p lang="en" dir="ltr">' . esc_html( $alert->text ) . '</p>';
		}
		printf( '<p><a class="button" href="%s">%s</a> %s</p></div>', esc_url( AlertTexts::url( $alert ) ), esc_html( AlertTexts::link( $alert ) ), wp_kses_post( AlertTexts::orders_html( $alert ) ) );
	}

	private function is_ours( string $screen_id ): bool {
		$orders = function_exists( 'wc_get_page_screen_id' ) ? wc_get_page_screen_id( 'shop-order' ) : 'shop_order';
		if ( in_array( $screen_id, array( 'woocommerce_page_' . QueuesPage::SLUG, 'woocommerce_page_tillsync-types', 'edit-shop_order', 'shop_order', $orders, 'plugins' ), true ) ) {
			return true;
		}
		// phpcs:ignore WordPress.Security.NonceVerification -- only reads which screen it is.
		return 'woocommerce_page_wc-settings' === $screen_id && Integration::ID === ( $_GET['section'] ?? '' );
	}
}
