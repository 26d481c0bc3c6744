<?php
/** Notes of orders are comments that all other lists of comments leave out. */

function wc_store_order_note( WC_Order $order, $note, $for_customer, $by_user ) {
	$user = $by_user && is_user_logged_in() ? wp_get_current_user() : null;
	$id   = wp_insert_comment(
		array(
			'comment_post_ID'      => $order->get_id(),
			'comment_author'       => $user ? $user->display_name : 'WooCommerce',
			'comment_author_email' => $user ? $user->user_email : 'woocommerce@example.test',
			'comment_content'      => $note,
			'comment_agent'        => 'WooCommerce',
			'comment_type'         => 'order_note',
			'comment_approved'     => 1,
		)
	);
	if ( $for_customer ) {
		add_comment_meta( $id, 'is_customer_note', 1 );
		do_action( 'woocommerce_new_customer_note', array( 'order_id' => $order->get_id(), 'customer_note' => $note ) );
	}
	do_action( 'woocommerce_order_note_added', $id, $order );
	return $id;
}

function wc_get_order_notes( $args ) {
	$comments = get_comments( array( 'post_id' => $args['order_id'] ?? 0, 'type' => 'order_note', 'approve' => 'approve', 'orderby' => 'comment_ID', 'order' => $args['order'] ?? 'DESC', 'tillsync_notes' => true ) );
	return array_map(
		static fn( $comment ) => (object) array(
			'id'            => (int) $comment->comment_ID,
			'date_created'  => wc_stored_time( $comment->comment_date_gmt ),
			'content'       => $comment->comment_content,
			'customer_note' => (bool) get_comment_meta( $comment->comment_ID, 'is_customer_note', true ),
			'added_by'      => 'WooCommerce' === $comment->comment_author ? 'system' : $comment->comment_author,
			'order_id'      => (int) $comment->comment_post_ID,
		),
		$comments
	);
}

function wc_create_order_note( $order_id, $note, $is_customer_note = false, $added_by_user = false ) {
	$order = wc_get_order( $order_id );
	return $order instanceof WC_Order ? $order->add_order_note( $note, $is_customer_note, $added_by_user ) : new WP_Error( 'invalid_order_id', 'Invalid order ID.' );
}

function wc_delete_order_note( $note_id ) {
	return wp_delete_comment( $note_id, true );
}

add_filter(
	'comments_clauses',
	static function ( $clauses, $query ) {
		if ( empty( $query->query_vars['tillsync_notes'] ) ) {
			$clauses['where'] .= ( $clauses['where'] ? ' AND ' : '' ) . " comment_type <> 'order_note' ";
		}
		return $clauses;
	},
	10,
	2
);
